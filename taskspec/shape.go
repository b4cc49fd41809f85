package taskspec

import (
	"reflect"
	"strings"
	"time"
)

// form is the kind of value that the format expects at one place.
type form int

const (
	formFree    form = iota // any value
	formText                // a string
	formRaw                 // a string of any bytes, see [RawString]
	formFlag                // true or false
	formNumber              // a number
	formWhole               // a number without a fraction
	formSeconds             // a number of seconds, which is a [time.Duration] in Go
	formList                // a list
	formObject              // an object whose keys are the user's
	formRecord              // an object whose keys are the format's
)

// forms says of each form what a value of it may begin with, what it is called in
// errors, and what in JSON Schema.
var forms = [...]struct{ begins, name, json string }{
	formFree:    {"", "any value", ""},
	formText:    {`"`, "a string", "string"},
	formRaw:     {`"{`, "a string", "string"},
	formFlag:    {"tf", "true or false", "boolean"},
	formNumber:  {"-0123456789", "a number", "number"},
	formWhole:   {"-0123456789", "a whole number", "integer"},
	formSeconds: {"-0123456789", "a number", "number"},
	formList:    {"[", "a list", "array"},
	formObject:  {"{", "an object", "object"},
	formRecord:  {"{", "an object", "object"},
}

// fits reports whether a value that begins with b can have the form.
func (f form) fits(b byte) bool { return f == formFree || strings.IndexByte(forms[f].begins, b) >= 0 }

// formOf returns the form of a Go type that is no struct.
func formOf(t reflect.Type) form {
	if t == reflect.TypeFor[time.Duration]() {
		return formSeconds
	}
	switch t.Kind() {
	case reflect.String:
		return formText
	case reflect.Bool:
		return formFlag
	case reflect.Float64:
		return formNumber
	case reflect.Int, reflect.Int64:
		return formWhole
	case reflect.Slice:
		return formList
	case reflect.Map:
		return formObject
	}
	return formFree
}

// shape is a form and, of a record, all the keys it may have.
type shape struct {
	form   form
	raw    bool              // its strings may be any bytes
	fields map[string]*field // of a record
	order  []*field          // as the format has them
	item   *shape            // of a list of records
	zero   string            // what is wrong with 0, which stands for no value in Go; or empty
}

// field is one key of a record: where its value goes in the struct, what it
// must be, and what the format says about it.
type field struct {
	name  string
	path  string
	index int
	shape *shape
	entry
}

// shapeOf reads names and forms from the struct tags, and the rest from format, so that
// everything about a field is declared in one place.
func shapeOf(t reflect.Type, path string, format map[string]entry) *shape {
	switch {
	case t.Kind() == reflect.Pointer:
		return shapeOf(t.Elem(), path, format)
	case t.Kind() == reflect.Struct:
		return recordOf(t, path, format)
	}
	s := &shape{form: formOf(t), raw: format[path].raw}
	switch {
	case s.raw && s.form == formText:
		s.form = formRaw
	case s.form == formList && t.Elem().Kind() == reflect.Struct:
		s.item = recordOf(t.Elem(), path+anyElement, format)
	}
	return s
}

func recordOf(t reflect.Type, path string, format map[string]entry) *shape {
	s := &shape{form: formRecord, fields: make(map[string]*field, t.NumField())}
	for i := range t.NumField() {
		name := jsonName(t.Field(i))
		at := child(path, name)
		f := &field{name: name, path: at, index: i, shape: shapeOf(t.Field(i).Type, at, format), entry: format[at]}
		for _, r := range f.rules {
			if s, ok := r.(span); ok && s.open && f.shape.form == formSeconds {
				f.shape.zero = s.String()
			}
		}
		s.fields[name] = f
		s.order = append(s.order, f)
	}
	return s
}

// anyElement stands for the index in the path of what the elements of a list of
// records have.
const anyElement = "[]"

// jsonName returns the name of a struct field in JSON.
func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}
