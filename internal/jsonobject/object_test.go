package jsonobject_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"weft/internal/jsonobject"
)

func TestObject(t *testing.T) {
	t.Parallel()
	o := jsonobject.New("b", "<&>", "a", jsonobject.New("x", nil)).
		Add("never", time.Time{}).Add("then", time.Unix(1, 2)).
		AddOrNull("zero", 0).AddOrNull("one", 1).
		AddUnlessZero("left", "").AddUnlessZero("out", []int{}).AddUnlessZero("nothing", nil).AddUnlessZero("list", []int{1})
	got, err := jsonobject.Encode(o)
	want := `{"b":"<&>","a":{"x":null},"never":null,"then":1000000002,"zero":null,"one":1,"list":[1]}`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v; want %s", got, err, want)
	}
	sum, err := jsonobject.Encode(jsonobject.New("a", 1).AddFields(jsonobject.New("a", 2, "b", jsonobject.New("a", 3))))
	if want := `{"a":1,"b":{"a":3}}`; err != nil || string(sum) != want {
		t.Errorf("got %s, %v; want %s", sum, err, want)
	}
	if _, err := json.Marshal(jsonobject.New().AddFields(json.RawMessage("{"))); err == nil {
		t.Error("half an object is no error")
	}
	if empty, err := json.Marshal(jsonobject.New()); string(empty) != "{}" || err != nil {
		t.Errorf("an object without fields: %s, %v", empty, err)
	}
	if _, err := json.Marshal(jsonobject.New("x", math.NaN())); err == nil {
		t.Error("what JSON cannot say is no error")
	}
}
