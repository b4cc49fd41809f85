package taskspec

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCall(t *testing.T) {
	t.Parallel()
	w := Work{Args: []any{json.Number("1"), "two"}, KeywordArgs: map[string]any{"a": true, "b": json.Number("1234567890123456789")}}
	const kwargs = `"kwargs":{"a":true,"b":1234567890123456789}}`
	for name, test := range map[string]struct {
		work  Work
		item  string
		want  string
		error string // it contains this
	}{
		"nothing":            {Work{}, "", `{}`, ""},
		"empty object":       {w, " {} ", `{"args":[1,"two"],` + kwargs, ""},
		"empty text":         {w, "\n", `{"args":[1,"two"],` + kwargs, ""},
		"args replace":       {w, `{"args":[3]}`, `{"args":[3],` + kwargs, ""},
		"no args":            {w, `{"args":[]}`, `{` + kwargs, ""},
		"kwargs over":        {w, `{"kwargs":{"b":2,"c":null}}`, `{"args":[1,"two"],"kwargs":{"a":true,"b":2,"c":null}}`, ""},
		"kwargs alone":       {Work{}, `{"kwargs":{"b":2}}`, `{"kwargs":{"b":2}}`, ""},
		"both":               {w, `{"kwargs":{},"args":["x"]}`, `{"args":["x"],` + kwargs, ""},
		"escaped key":        {Work{}, `{"\u0061rgs":[1]}`, `{"args":[1]}`, ""},
		"other object":       {w, `{"args":[1],"x":1}`, `{"args":[{"args":[1],"x":1}],` + kwargs, ""},
		"value":              {w, ` 12.50 `, `{"args":[12.50],` + kwargs, ""},
		"null":               {Work{}, `null`, `{"args":[null]}`, ""},
		"text":               {Work{}, "two\nlines\n", `{"args":["two\nlines\n"]}`, ""},
		"args are no list":   {Work{}, `{"args":1}`, "", "args: want a list"},
		"args are null":      {Work{}, `{"args":null}`, "", "args: want a list"},
		"kwargs no object":   {Work{}, `{"args":"","kwargs":[]}`, "", "args: want a list; kwargs: want an object"},
		"kwargs are null":    {Work{}, `{"kwargs":null}`, "", "kwargs: want an object"},
		"spec is no JSON":    {Work{Args: []any{1, make(chan int)}}, "", "", "encode argument: spec.args[1]: "},
		"keyword is no JSON": {Work{KeywordArgs: map[string]any{"x": math.NaN()}}, "", "", "encode argument: spec.keyword_args.x: "},
		"values of Go":       {Work{Args: []any{struct{ A int }{1}}}, "", `{"args":[{"A":1}]}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := len(test.work.KeywordArgs)
			c, err := test.work.Call(test.item)
			if err != nil || test.error != "" {
				if err == nil || test.error == "" || !strings.Contains(err.Error(), test.error) {
					t.Errorf("got %v, %v; want %q", c, err, test.error)
				}
				return
			}
			got, err := json.Marshal(c)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, string(got)); diff != "" {
				t.Errorf("call (-want +got):\n%s", diff)
			}
			if len(test.work.KeywordArgs) != before {
				t.Error("the spec was changed")
			}
		})
	}
}

// FuzzCall reads anything as a work item: the call is JSON, and says the same when
// it is the item itself.
func FuzzCall(f *testing.F) {
	for _, item := range []string{"", "{}", "text", `{"args":[1,{}],"kwargs":{"a":[]}}`, `{"args":[1],"args":2}`, "\xff", `{"a":1}`, `"\ud800"`} {
		f.Add(item)
	}
	f.Fuzz(func(t *testing.T, item string) {
		c, err := Work{}.Call(item)
		if err != nil {
			return
		}
		text, err := json.Marshal(c)
		if err != nil {
			t.Fatalf("%q: %v", item, err)
		}
		again, err := Work{}.Call(string(text))
		if err != nil {
			t.Fatalf("%q: %s: %v", item, text, err)
		}
		if textAgain, err := json.Marshal(again); err != nil || string(text) != string(textAgain) {
			t.Errorf("%q: %s became %s, %v", item, text, textAgain, err)
		}
	})
}
