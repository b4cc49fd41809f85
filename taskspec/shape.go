package taskspec

import (
	"reflect"
	"strings"
	"sync"
)

// form is the kind of value that the format expects at one place.
type form int

const (
	formFree       form = iota // any value
	formText                   // a string
	formRaw                    // a string of any bytes, see [RawString]
	formFlag                   // true or false
	formNumber                 // a number
	formWhole                  // a number without a fraction
	formTextList               // a list of strings
	formFreeList               // a list of any values
	formTextMap                // an object whose keys are the user's, of strings
	formRawMap                 // an object whose keys are the user's, of strings of any bytes
	formFreeMap                // an object whose keys are the user's, of any values
	formRecord                 // an object whose keys are the format's
	formRecordList             // a list of such objects
)

// fits reports whether a value that begins with b can have the form.
func (f form) fits(b byte) bool {
	switch f {
	case formText:
		return b == '"'
	case formRaw:
		return b == '"' || b == '{'
	case formFlag:
		return b == 't' || b == 'f'
	case formNumber, formWhole:
		return isNumber(b)
	case formTextList, formFreeList, formRecordList:
		return b == '['
	case formTextMap, formRawMap, formFreeMap, formRecord:
		return b == '{'
	}
	return true
}

// String names the form with its article, for errors.
func (f form) String() string {
	switch f {
	case formText, formRaw:
		return "a string"
	case formFlag:
		return "true or false"
	case formNumber:
		return "a number"
	case formWhole:
		return "a whole number"
	case formTextList, formFreeList, formRecordList:
		return "a list"
	case formTextMap, formRawMap, formFreeMap, formRecord:
		return "an object"
	}
	return "any value"
}

// shape is a form and, of a record, all the keys it may have.
type shape struct {
	form   form
	fields map[string]*field
	order  []*field // as the format has them
	item   *shape   // of a list of records
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

// specShape returns the shape of a Spec. Names and forms are read from the
// struct tags, and the rest from [format], so that everything about a field is
// declared in one place, and only once, when it is first needed: a client that
// looks at no spec does not pay for it.
var specShape = sync.OnceValue(func() *shape { return shapeOf(reflect.TypeFor[Spec](), "", format()) })

func shapeOf(t reflect.Type, path string, format map[string]entry) *shape {
	switch t.Kind() {
	case reflect.Pointer:
		return shapeOf(t.Elem(), path, format)
	case reflect.String:
		return &shape{form: formText}
	case reflect.Bool:
		return &shape{form: formFlag}
	case reflect.Float64:
		return &shape{form: formNumber}
	case reflect.Int, reflect.Int64:
		return &shape{form: formWhole}
	case reflect.Slice:
		if t.Elem().Kind() == reflect.String {
			return &shape{form: formTextList}
		}
		if t.Elem().Kind() == reflect.Struct {
			return &shape{form: formRecordList, item: shapeOf(t.Elem(), path+anyElement, format)}
		}
		return &shape{form: formFreeList}
	case reflect.Map:
		if t.Elem().Kind() == reflect.String {
			return &shape{form: formTextMap}
		}
		return &shape{form: formFreeMap}
	case reflect.Struct:
		return recordOf(t, path, format)
	}
	return &shape{form: formFree}
}

func recordOf(t reflect.Type, path string, format map[string]entry) *shape {
	s := &shape{form: formRecord, fields: make(map[string]*field, t.NumField())}
	for i := range t.NumField() {
		name := jsonName(t.Field(i))
		at := child(path, name)
		f := &field{name: name, path: at, index: i, shape: shapeOf(t.Field(i).Type, at, format), entry: format[at]}
		switch {
		case !f.raw:
		case f.shape.form == formText:
			f.shape.form = formRaw
		case f.shape.form == formTextMap:
			f.shape.form = formRawMap
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
