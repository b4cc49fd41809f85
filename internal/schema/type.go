package schema

import (
	"encoding"
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Of describes the JSON of a Go type, as encoding/json reads and writes it. A field whose
// tags have neither omitempty nor omitzero is required; a tag `jsonschema:"…"` describes it.
// A type that is recursive, or has an encoding of its own, accepts any value: then only
// decoding finds errors.
func Of(t reflect.Type) *Schema {
	d := describer{inside: make(map[reflect.Type]bool)}
	if s := d.describe(t); s != nil && !d.failed {
		return s
	}
	return new(Schema)
}

type describer struct {
	inside map[reflect.Type]bool // the types that are being described
	failed bool                  // the type alone does not tell
}

// describe describes a type; nil is one that JSON does not have.
func (d *describer) describe(t reflect.Type) *Schema {
	pointer := t.Kind() == reflect.Pointer
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if d.inside[t] {
		d.failed = true
		return nil
	}
	d.inside[t] = true
	defer delete(d.inside, t)
	s := special(t)
	if s == nil {
		s = d.structural(t)
	}
	if pointer && s != nil && s.Type != nil && !slices.Contains(s.Type, "null") {
		s.Type = append(Types{"null"}, s.Type...)
	}
	return s
}

// special describes a type that encodes itself, and returns nil for others.
func special(t reflect.Type) *Schema {
	implements := func(i reflect.Type) bool { return t.Implements(i) || reflect.PointerTo(t).Implements(i) }
	switch {
	case t == reflect.TypeFor[time.Time]():
		return &Schema{Type: Types{"string"}, Format: "date-time"}
	case t == reflect.TypeFor[json.Number]():
		return &Schema{Type: Types{"number", "string"}}
	case t.Kind() == reflect.Interface:
		return nil
	case implements(reflect.TypeFor[json.Unmarshaler]()), implements(reflect.TypeFor[json.Marshaler]()):
		return new(Schema)
	case implements(reflect.TypeFor[encoding.TextUnmarshaler]()), implements(reflect.TypeFor[encoding.TextMarshaler]()):
		return &Schema{Type: Types{"string"}}
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8 && special(t.Elem()) == nil:
		return &Schema{Type: Types{"null", "string"}, ContentEncoding: "base64"}
	}
	return nil
}

// structural describes a type that encoding/json treats by its structure.
func (d *describer) structural(t reflect.Type) *Schema {
	switch kind := t.Kind(); kind {
	case reflect.Bool:
		return &Schema{Type: Types{"boolean"}}
	case reflect.Int, reflect.Int64:
		return &Schema{Type: Types{"integer"}}
	case reflect.Int8, reflect.Int16, reflect.Int32:
		half := math.Ldexp(1, t.Bits()-1)
		return &Schema{Type: Types{"integer"}, Minimum: new(-half), Maximum: new(half - 1)}
	case reflect.Uint, reflect.Uint64, reflect.Uintptr:
		return &Schema{Type: Types{"integer"}, Minimum: new(0.0)}
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		return &Schema{Type: Types{"integer"}, Minimum: new(0.0), Maximum: new(math.Ldexp(1, t.Bits()) - 1)}
	case reflect.Float32, reflect.Float64:
		return &Schema{Type: Types{"number"}}
	case reflect.String:
		return &Schema{Type: Types{"string"}}
	case reflect.Interface:
		return new(Schema)
	case reflect.Struct:
		return d.object(t)
	case reflect.Map, reflect.Slice, reflect.Array:
		of := d.describe(t.Elem())
		switch {
		case of == nil:
			return nil
		case kind == reflect.Map:
			return &Schema{Type: Types{"object"}, AdditionalProperties: of}
		case kind == reflect.Slice:
			return &Schema{Type: Types{"null", "array"}, Items: of}
		}
		return &Schema{Type: Types{"array"}, Items: of, MinItems: new(t.Len()), MaxItems: new(t.Len())}
	}
	return nil
}

// object describes a struct, with the fields of structs that are embedded in it.
func (d *describer) object(t reflect.Type) *Schema {
	s := &Schema{Type: Types{"object"}, AdditionalProperties: &Schema{Nothing: true}}
	for _, field := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		is := func(option string) bool { return slices.Contains(strings.Split(options, ","), option) }
		switch {
		case name == "-" && options == "", !field.IsExported() && !field.Anonymous:
			continue
		case field.Anonymous:
			embedded := field.Type
			if embedded.Kind() == reflect.Pointer {
				embedded = embedded.Elem()
			}
			if name != "" || embedded.Kind() != reflect.Struct || special(embedded) != nil {
				d.failed = true
			}
			continue
		case name == "":
			name = field.Name
		}
		of := d.describe(field.Type)
		if of == nil {
			continue
		}
		if is("string") || s.Properties.Get(name) != nil { // quoted; or two fields have the name
			d.failed = true
		}
		of.Description = field.Tag.Get("jsonschema")
		s.Properties = append(s.Properties, Property{name, of})
		if !is("omitempty") && !is("omitzero") {
			s.Required = append(s.Required, name)
		}
	}
	return s
}
