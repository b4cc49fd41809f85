package schema_test

import (
	"encoding/json"
	"math/big"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weft/internal/schema"
)

type inner struct {
	A int8 `json:"a"`
}

type outer struct {
	inner
	B     *string        `json:"b,omitempty" jsonschema:"a text & more"`
	Codes map[int]string `json:"codes"`
	Plain [2]bool
	Call  func()    `json:"call"`
	When  time.Time `json:"when,omitzero"`
	out   int
}

type list struct {
	Next *list `json:"next"`
}

type twice struct {
	inner
	B int `json:"a"`
}

// TestOf compares the schemas of types with what they are in JSON, and after a journey
// through it.
func TestOf(t *testing.T) {
	t.Parallel()
	_ = outer{}.out
	for _, tt := range []struct {
		of   reflect.Type
		want string
	}{
		{reflect.TypeFor[outer](), `{"type":"object","properties":{` +
			`"a":{"type":"integer","minimum":-128,"maximum":127},` +
			`"b":{"description":"a text \u0026 more","type":["null","string"]},` +
			`"codes":{"type":"object","additionalProperties":{"type":"string"}},` +
			`"Plain":{"type":"array","items":{"type":"boolean"},"minItems":2,"maxItems":2},` +
			`"when":{"type":"string","format":"date-time"}},` +
			`"additionalProperties":false,"required":["a","codes","Plain"]}`},
		{reflect.TypeFor[struct{}](), `{"type":"object","additionalProperties":false}`},
		{reflect.TypeFor[**[]byte](), `{"type":["null","string"],"contentEncoding":"base64"}`},
		{reflect.TypeFor[[]uint32](), `{"type":["null","array"],"items":{"type":"integer","minimum":0,"maximum":4294967295}}`},
		{reflect.TypeFor[map[string]any](), `{"type":"object","additionalProperties":{}}`},
		{reflect.TypeFor[json.Number](), `{"type":["number","string"]}`},
		{reflect.TypeFor[*big.Int](), `{}`},
		{reflect.TypeFor[list](), `{}`},
		{reflect.TypeFor[twice](), `{}`},
		{reflect.TypeFor[chan int](), `{}`},
	} {
		s := schema.Of(tt.of)
		got, err := json.Marshal(s)
		if err != nil || string(got) != tt.want {
			t.Errorf("%v: %v\n got %s\nwant %s", tt.of, err, got, tt.want)
		}
		again := new(schema.Schema)
		if err := json.Unmarshal(got, again); err != nil {
			t.Errorf("%v: %v", tt.of, err)
		}
		if diff := cmp.Diff(s, again); diff != "" {
			t.Errorf("%v after a journey (-before +after):\n%s", tt.of, diff)
		}
	}
}
