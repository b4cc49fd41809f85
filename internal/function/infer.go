package function

import (
	"encoding"
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"
)

// schemaOf describes the JSON of a Go type, as encoding/json reads and writes
// it. Of what has an encoding of its own, or holds itself, it says nothing: then
// only decoding tells.
func schemaOf(t reflect.Type) *schema { return infer(t, nil) }

// infer describes t; inside are the types that it is part of.
func infer(t reflect.Type, inside []reflect.Type) *schema {
	nullable := false
	for t.Kind() == reflect.Pointer {
		nullable, t = true, t.Elem()
	}
	s := special(t)
	switch {
	case s != nil:
	case slices.Contains(inside, t):
		return new(schema)
	default:
		s = structure(t, append(slices.Clip(inside), t))
	}
	if nullable && len(s.Types) > 0 && !slices.Contains(s.Types, "null") {
		s.Types = append(kinds{"null"}, s.Types...)
	}
	return s
}

// structure describes t by what it is made of.
func structure(t reflect.Type, inside []reflect.Type) *schema {
	switch t.Kind() {
	case reflect.Bool:
		return &schema{Types: kinds{"boolean"}}
	case reflect.String:
		return &schema{Types: kinds{"string"}}
	case reflect.Float32, reflect.Float64:
		return &schema{Types: kinds{"number"}}
	case reflect.Int, reflect.Int64:
		return &schema{Types: kinds{"integer"}} // decoding knows the ends exactly
	case reflect.Uint, reflect.Uint64, reflect.Uintptr:
		return &schema{Types: kinds{"integer"}, Minimum: new(0.0)}
	case reflect.Int8, reflect.Int16, reflect.Int32:
		half := math.Ldexp(1, t.Bits()-1)
		return &schema{Types: kinds{"integer"}, Minimum: new(-half), Maximum: new(half - 1)}
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		return &schema{Types: kinds{"integer"}, Minimum: new(0.0), Maximum: new(math.Ldexp(1, t.Bits()) - 1)}
	case reflect.Slice:
		return &schema{Types: kinds{"null", "array"}, Items: infer(t.Elem(), inside)}
	case reflect.Array:
		return &schema{Types: kinds{"array"}, Items: infer(t.Elem(), inside), MinItems: new(t.Len()), MaxItems: new(t.Len())}
	case reflect.Map:
		return &schema{Types: kinds{"null", "object"}, Others: infer(t.Elem(), inside)}
	case reflect.Struct:
		s := &schema{Types: kinds{"object"}, Properties: new(properties), Others: &schema{never: true}}
		if !s.addFields(t, inside) {
			return new(schema)
		}
		return s
	}
	return new(schema)
}

// addFields adds the fields of a struct, and those of structs embedded in it. It
// returns false where the same name is there twice: which one counts, or that
// none does, is for encoding/json to say.
func (s *schema) addFields(t reflect.Type, inside []reflect.Type) bool {
	for field := range t.Fields() {
		tag := field.Tag.Get("json")
		name, options, _ := strings.Cut(tag, ",")
		embedded := field.Type
		if embedded.Kind() == reflect.Pointer {
			embedded = embedded.Elem()
		}
		switch {
		case tag == "-", !field.IsExported() && !(field.Anonymous && embedded.Kind() == reflect.Struct):
			continue
		case field.Anonymous && name == "" && embedded.Kind() == reflect.Struct && special(embedded) == nil:
			if slices.Contains(inside, embedded) || !s.addFields(embedded, append(slices.Clip(inside), embedded)) {
				return false
			}
			continue
		case unfit(field.Type):
			continue
		case name == "":
			name = field.Name
		}
		if s.Properties.get(name) != nil {
			return false
		}
		all := strings.Split(options, ",")
		one := property{name, *infer(field.Type, inside)}
		if slices.Contains(all, "string") && !slices.Contains(one.Types, "object") && !slices.Contains(one.Types, "array") {
			one.schema = schema{Types: kinds{"string"}}
		}
		one.Description = field.Tag.Get("jsonschema")
		*s.Properties = append(*s.Properties, one)
		if !slices.Contains(all, "omitempty") && !slices.Contains(all, "omitzero") {
			s.Required = append(s.Required, name)
		}
	}
	return true
}

// unfit reports whether a type has no JSON at all.
func unfit(t reflect.Type) bool {
	return slices.Contains([]reflect.Kind{reflect.Chan, reflect.Func, reflect.Complex64, reflect.Complex128, reflect.UnsafePointer}, t.Kind())
}

// special is the schema of a type that encodes itself, nil for others.
func special(t reflect.Type) *schema {
	implements := func(i reflect.Type) bool { return t.Implements(i) || reflect.PointerTo(t).Implements(i) }
	switch {
	case t == reflect.TypeFor[time.Time]():
		return &schema{Types: kinds{"string"}, Format: "date-time"}
	case t == reflect.TypeFor[json.Number]():
		return &schema{Types: kinds{"number", "string"}}
	case t.Kind() == reflect.Interface:
		return new(schema)
	case implements(reflect.TypeFor[json.Unmarshaler]()), implements(reflect.TypeFor[json.Marshaler]()):
		return new(schema)
	case implements(reflect.TypeFor[encoding.TextUnmarshaler]()), implements(reflect.TypeFor[encoding.TextMarshaler]()):
		return &schema{Types: kinds{"string"}}
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8 && special(t.Elem()) == nil:
		return &schema{Types: kinds{"null", "string"}, Encoding: "base64"}
	}
	return nil
}
