package ledger

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// TestWrittenAsJSON compares what is written of tasks field by field with
// what encoding/json makes of them: with all of their fields, with none, and with each
// one alone.
func TestWrittenAsJSON(t *testing.T) {
	t.Parallel()
	writtenAsJSON(t, encodeTask)
}

func writtenAsJSON[T any](t *testing.T, encode func(*T) (string, error)) {
	check := func(what string, v *T) {
		want, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := encode(v); got != string(want) || err != nil {
			t.Errorf("%T with %s is\n%s, %v, want\n%s", v, what, got, err, want)
		}
	}
	var all, none T
	check("nothing", &none)
	for field := range exported(&all) {
		for _, value := range likely(field.Type) {
			one := new(T)
			reflect.ValueOf(one).Elem().FieldByIndex(field.Index).Set(value)
			check(field.Name, one)
			reflect.ValueOf(&all).Elem().FieldByIndex(field.Index).Set(value)
		}
	}
	check("everything", &all)
}

// exported yields the fields of the struct that v points to which are encoded, and
// those of structs in it.
func exported(v any) func(func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for _, field := range reflect.VisibleFields(reflect.TypeOf(v).Elem()) {
			if !field.IsExported() {
				continue
			}
			if !yield(field) {
				return
			}
			if field.Type.Kind() != reflect.Struct {
				continue
			}
			for inner := range exported(reflect.New(field.Type).Interface()) {
				inner.Index = append(append([]int(nil), field.Index...), inner.Index...)
				inner.Name = field.Name + "." + inner.Name
				if !yield(inner) {
					return
				}
			}
		}
	}
}

// likely are values of a type that are not zero, such as are likely to be written in
// another way.
func likely(t reflect.Type) (all []reflect.Value) {
	add := func(v any) { all = append(all, reflect.ValueOf(v).Convert(t)) }
	switch t.Kind() {
	case reflect.String:
		for _, text := range []string{"a", `"quoted" \ <b>&amp;`, "line\nline\x00", "ünï☃", "\xff\u2028"} {
			add(text)
		}
	case reflect.Int, reflect.Int64, reflect.Uint64:
		add(7)
		if t.Kind() != reflect.Uint64 {
			add(-1 << 40)
		}
	case reflect.Float64:
		add(0.25)
		add(1e30)
	case reflect.Bool:
		add(true)
	case reflect.Pointer:
		all = append(all, reflect.New(t.Elem()))
		for _, v := range likely(t.Elem()) {
			p := reflect.New(t.Elem())
			p.Elem().Set(v)
			all = append(all, p)
		}
	case reflect.Slice:
		switch {
		case t == reflect.TypeFor[json.RawMessage]():
			add(json.RawMessage(`{"tid":"1"}`))
		case t.Elem().Kind() == reflect.Uint8:
			add([]byte(strings.Repeat("x", 100)))
			add([]byte{})
		default:
			list := reflect.MakeSlice(t, 0, 0)
			all = append(all, list, reflect.Append(list, likely(t.Elem())...))
		}
	case reflect.Struct:
		all = append(all, reflect.New(t).Elem())
		full := reflect.New(t).Elem()
		for i := range t.NumField() {
			if values := likely(t.Field(i).Type); t.Field(i).IsExported() {
				full.Field(i).Set(values[len(values)-1])
			}
		}
		all = append(all, full)
	}
	return all
}
