package function

import (
	"context"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"weft/taskspec"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type size struct {
	Width  int  `json:"width"`
	Height *int `json:"height,omitempty"`
}

type image struct {
	Path   string         `json:"path" jsonschema:"where it is"`
	Size   size           `json:"size"`
	Tags   []string       `json:"tags,omitempty"`
	Labels map[string]int `json:"labels,omitempty"`
	Raw    []byte         `json:"raw,omitempty"`
	When   time.Time      `json:"when,omitzero"`
	For    time.Duration  `json:"for,omitempty"`
	Level  uint8          `json:"level,omitempty"`
	Any    any            `json:"any,omitempty"`
	Number json.Number    `json:"number,omitempty"`
	Big    *big.Int       `json:"big,omitempty"`
	_      int
	Out    string `json:"-"`
}

type tree struct {
	Name     string  `json:"name"`
	Children []*tree `json:"children,omitempty"`
}

type quotedNumber struct {
	N int `json:"n,string"`
}

type embedding struct {
	size
	tree `json:"tree"`
}

// echo is a function that returns what it gets.
func echo[T any]() *Function {
	return New("f", "", func(_ context.Context, in T) (T, error) { return in, nil })
}

func call(kwargs string, args ...string) taskspec.Call {
	c := taskspec.Call{}
	for _, a := range args {
		c.Args = append(c.Args, json.RawMessage(a))
	}
	if kwargs != "" {
		if err := json.Unmarshal([]byte(kwargs), &c.Kwargs); err != nil {
			panic(err)
		}
	}
	return c
}

// TestArguments calls functions that return what they get.
func TestArguments(t *testing.T) {
	t.Parallel()
	plain := NewPlain("f", "", func(_ context.Context, args []any, kwargs map[string]any) (any, error) {
		return []any{args, kwargs}, nil
	})
	const one = `{"path":"a","size":{"width":1}}`
	for name, test := range map[string]struct {
		f     *Function
		call  taskspec.Call
		want  string
		error string // without the name of the function
	}{
		"named":             {echo[size](), call(`{"width":1}`), `{"width":1}`, ""},
		"one object":        {echo[size](), call("", `{"width":1}`), `{"width":1}`, ""},
		"over an object":    {echo[size](), call(`{"width":2}`, `{"width":1,"height":3}`), `{"width":2,"height":3}`, ""},
		"over text":         {echo[size](), call(`{"width":2}`, `"x"`), "", "beside named arguments the other one must be an object"},
		"over null":         {echo[size](), call(`{"width":2}`, `null`), "", "beside named arguments the other one must be an object"},
		"two":               {echo[size](), call("", `1`, `2`), "", "it takes one argument, or named ones; got 2"},
		"missing":           {echo[size](), call(""), "", `"width": missing`},
		"wrong type":        {echo[size](), call(`{"width":"1"}`), "", `"width": got string, want integer`},
		"fraction":          {echo[size](), call(`{"width":1.5}`), "", `"width": got number, want integer`},
		"unknown":           {echo[size](), call(`{"width":1,"Width":2}`), "", `"Width": unknown argument; there are height, width`},
		"pointer":           {echo[*size](), call(`{"width":1}`), `{"width":1}`, ""},
		"pointer, null":     {echo[*size](), call("", `null`), `null`, ""},
		"value, null":       {echo[size](), call("", `null`), "", `argument: got null, want object`},
		"integer as float":  {echo[size](), call(`{"width":1.0}`), "", `"width": got number 1.0, want int`},
		"integer too large": {echo[size](), call(`{"width":1e19}`), "", `"width": got number 1e19, want int`},
		"nothing":           {echo[struct{}](), call(""), `{}`, ""},
		"nothing, named":    {echo[struct{}](), call(`{"a":1}`), "", `"a": unknown argument; it takes none`},
		"nothing, one":      {echo[struct{}](), call("", `1`), "", "argument: got integer, want object"},
		"text":              {echo[string](), call("", `"a<b"`), `"a<b"`, ""},
		"text, none":        {echo[string](), call(""), "", "its argument is missing: want string"},
		"text, named":       {echo[string](), call(`{"a":1}`), "", "it takes no named arguments: want one string"},
		"digits":            {echo[int64](), call("", `9007199254740993`), `9007199254740993`, ""},
		"byte":              {echo[uint8](), call("", `256`), "", "argument: must be at most 255"},
		"negative":          {echo[uint](), call("", `-1`), "", "argument: must be at least 0"},
		"list":              {echo[[]int](), call("", `[1,2]`), `[1,2]`, ""},
		"list, element":     {echo[[]int](), call("", `[1,"b"]`), "", `"[1]": got string, want integer`},
		"array":             {echo[[2]int](), call("", `[1]`), "", "argument: has 1 elements, which is too few or too many"},
		"map":               {echo[map[string]int](), call(`{"a":1}`), `{"a":1}`, ""},
		"map, value":        {echo[map[string]int](), call(`{"a":"b"}`), "", `"a": got string, want integer`},
		"any":               {echo[any](), call("", `[1,"a"]`), `[1,"a"]`, ""},
		"any, none":         {echo[any](), call(""), `null`, ""},
		"any, named":        {echo[any](), call(`{"a":1}`), `{"a":1}`, ""},
		"all kinds": {echo[image](), call(`{"tags":["x"],"labels":{"l":1},"raw":"aGk=","when":"2026-01-02T03:04:05Z","for":5,"level":255,"any":[null],"number":12.50,"big":12345678901234567890}`, one),
			`{"path":"a","size":{"width":1},"tags":["x"],"labels":{"l":1},"raw":"aGk=","when":"2026-01-02T03:04:05Z","for":5,"level":255,"any":[null],"number":12.50,"big":12345678901234567890}`, ""},
		"deep":             {echo[image](), call(`{"size":{"width":true}}`, one), "", `"size.width": got boolean, want integer`},
		"deep, unknown":    {echo[image](), call(`{"size":{"w":1}}`, one), "", `"size.w": unknown argument; there are height, width; "size.width": missing`},
		"not base64":       {echo[image](), call(`{"raw":"!"}`, one), "", "illegal base64 data at input byte 0"},
		"recursive":        {echo[tree](), call(`{"name":"a","children":[{"name":"b"}]}`), `{"name":"a","children":[{"name":"b"}]}`, ""},
		"recursive, wrong": {echo[tree](), call(`{"name":1}`), "", `"name": got number, want string`},
		"quoted":           {echo[quotedNumber](), call(`{"n":"1"}`), `{"n":"1"}`, ""},
		"embedded":         {echo[embedding](), call(`{"width":1,"tree":{"name":"a"}}`), `{"width":1,"tree":{"name":"a"}}`, ""},
		"plain":            {plain, call(`{"b":1e2}`, `1`, `"x"`), `[[1,"x"],{"b":1e2}]`, ""},
		"plain, none":      {plain, call(""), `[[],{}]`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got json.RawMessage
			err := test.f.Check(test.call)
			if err == nil {
				got, err = test.f.Call(t.Context(), test.call)
			}
			if text := ""; err != nil || test.error != "" {
				if err != nil {
					text = err.Error()
				}
				if _, wrong := errors.AsType[*ArgumentError](err); !wrong || text != "function f: "+test.error {
					t.Errorf("got %v, want %s", err, test.error)
				}
				return
			}
			if string(got) != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
			// Whoever knows the function by its description alone accepts it as well.
			if err := described(t, test.f).Check(test.call); err != nil {
				t.Errorf("check by description: %v", err)
			}
		})
	}
}

// TestCallOfAnotherBuild calls a function with what a build of the program submitted that had
// other fields.
func TestCallOfAnotherBuild(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		f     *Function
		call  taskspec.Call
		want  string
		error string
	}{
		"a field is new":         {echo[size](), call(`{"height":3}`), `{"width":0,"height":3}`, ""},
		"a field has gone":       {echo[size](), call(`{"width":1,"depth":2}`), `{"width":1}`, ""},
		"a field has gone, deep": {echo[image](), call("", `{"path":"a","size":{"width":1,"depth":2}}`), `{"path":"a","size":{"width":1}}`, ""},
		"takes nothing now":      {echo[struct{}](), call(`{"width":1}`), `{}`, ""},
		"a field has changed":    {echo[size](), call(`{"width":"1"}`), "", `function f: "width": got string, want int`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := test.f.Call(t.Context(), test.call)
			if err != nil || test.error != "" {
				if _, wrong := errors.AsType[*ArgumentError](err); !wrong || err.Error() != test.error {
					t.Errorf("got %v, want %s", err, test.error)
				}
				return
			}
			if string(got) != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

// described is the description of a function after a journey through JSON.
func described(t testing.TB, f *Function) (d Description) {
	t.Helper()
	text, err := json.Marshal(f.Describe())
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestHelp(t *testing.T) {
	t.Parallel()
	plain := NewPlain("f", "", nil)
	for name, test := range map[string]struct {
		f       *Function
		named   []Argument
		one     string
		example string
		value   string
	}{
		"struct": {echo[image](), []Argument{
			{"path", "string", true, "where it is"}, {"size", "object", true, ""}, {"tags", "array of string", false, ""},
			{"labels", "object of integer", false, ""}, {"raw", "string in base64", false, ""}, {"when", "string (date-time)", false, ""},
			{"for", "integer", false, ""}, {"level", "integer", false, ""}, {"any", "any value", false, ""},
			{"number", "number or string", false, ""}, {"big", "any value", false, ""},
		}, "", "--kw path=STRING --kw size=OBJECT [--kw tags=ARRAY] [--kw labels=OBJECT] [--kw raw=STRING] [--kw when=STRING] [--kw for=INTEGER] [--kw level=INTEGER] [--kw any=ANY] [--kw number=NUMBER] [--kw big=ANY]", "object"},
		"nothing": {echo[struct{}](), nil, "", "", "object"},
		"list":    {echo[[]int](), nil, "array of integer", "--arg ARRAY", "array of integer"},
		"any":     {echo[tree](), nil, "any value", "--arg ANY", "any value"},
		"plain":   {plain, nil, "any arguments", "[--arg VALUE]... [--kw NAME=VALUE]...", "any value"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := described(t, test.f)
			named, one := d.Arguments()
			if diff := cmp.Diff(test.named, named); diff != "" || one != test.one {
				t.Errorf("takes %q (-want +got):\n%s", one, diff)
			}
			if got := d.Example(); got != test.example {
				t.Errorf("example %q", got)
			}
			if got := d.Value(); got != test.value {
				t.Errorf("returns %q", got)
			}
		})
	}
}

func TestRegistry(t *testing.T) {
	t.Parallel()
	var r Registry
	for name, want := range map[string]string{
		"": "bad function name", "9": "bad function name", "a b": "bad function name", "ä": "bad function name",
		".a": "bad function name", strings.Repeat("a", 201): "bad function name",
		"a": "", "pkg.F": "", "pkg:f/x-1_": "", "_": "", strings.Repeat("b", 200): "",
	} {
		err := r.Add(NewPlain(name, "", nil))
		if want == "" && err != nil || want != "" && !errors.Is(err, ErrName) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if err := r.Add(NewPlain("a", "", nil)); err == nil || err.Error() != "function a is registered twice" {
		t.Errorf("twice: %v", err)
	}
	if got := len(r.Describe()); got != 5 || r.Get("a") == nil || r.Get("A") != nil {
		t.Errorf("%d functions: %v", got, r.Names())
	}
}

func TestNear(t *testing.T) {
	t.Parallel()
	all := []string{"images.resize", "images.rotate", "mail.send", "add", "end"}
	for name, want := range map[string][]string{
		"images.resise": {"images.resize"},
		"image.rotate":  {"images.rotate"},
		"resize":        {"images.resize"},
		"IMAGES.RESIZE": {"images.resize"},
		"send":          {"mail.send", "end"},
		"ad":            {"add"},
		"bill.pay":      nil,
	} {
		if diff := cmp.Diff(want, Near(name, all)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// FuzzCall calls functions with anything: nothing panics, and a function lets through what
// its description alone does.
func FuzzCall(f *testing.F) {
	for _, item := range []string{`{}`, `{"width":1}`, `{"args":[1],"kwargs":{"path":"a"}}`, `{"args":[{"path":"a","size":{"width":1e3}}]}`,
		`[1,"a",null]`, `1e400`, `"\ud800"`, `{"kwargs":{"name":"a","children":[null,{"name":"b"}]}}`} {
		f.Add(item)
	}
	functions := []*Function{echo[image](), echo[size](), echo[tree](), echo[[]int](), echo[any](), echo[map[string]uint8](), echo[*string](), echo[embedding]()}
	f.Fuzz(func(t *testing.T, item string) {
		c, err := taskspec.Work{}.Call(item)
		if err != nil {
			return
		}
		for _, fn := range functions {
			value, err := fn.Call(t.Context(), c)
			if _, wrong := errors.AsType[*ArgumentError](err); err != nil && !wrong {
				t.Fatalf("%s: %v", item, err)
			}
			if err != nil {
				continue
			}
			if !json.Valid(value) {
				t.Errorf("%s: %s is no JSON", item, value)
			}
			own, others := fn.Check(c), described(t, fn).Check(c)
			if (own == nil) != (others == nil) {
				t.Errorf("%s: the function says %v, its description %v", item, own, others)
			}
		}
	})
}
