package function

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strings"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
)

// schemaOf describes the JSON of a Go type. A type that it cannot describe, because it is
// recursive or has an encoding of its own, gets the schema that accepts any value: then
// only decoding finds errors.
func schemaOf(t reflect.Type) *jsonschema.Resolved {
	known := make(map[reflect.Type]*jsonschema.Schema)
	if inspect(t, known, make(map[reflect.Type]bool)) {
		s, err := jsonschema.ForType(t, &jsonschema.ForOptions{TypeSchemas: known, IgnoreInvalidTypes: true})
		if err == nil && s != nil {
			relax(s)
			if r, err := s.Resolve(nil); err == nil {
				return r
			}
		}
	}
	anything, _ := new(jsonschema.Schema).Resolve(nil) // never an error
	return anything
}

// schemaJSON returns the schema as text.
func schemaJSON(s *jsonschema.Schema) json.RawMessage {
	text, err := json.Marshal(s)
	if err != nil {
		return json.RawMessage("{}")
	}
	return text
}

// inspect adds to known the types in t that encoding/json does not treat by their
// structure. It returns false if the type alone does not tell.
func inspect(t reflect.Type, known map[reflect.Type]*jsonschema.Schema, seen map[reflect.Type]bool) bool {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if seen[t] {
		return true
	}
	seen[t] = true
	if s := special(t); s != nil {
		known[t] = s
		return true
	}
	switch t.Kind() {
	case reflect.Slice, reflect.Array, reflect.Map:
		return inspect(t.Elem(), known, seen)
	case reflect.Struct:
		for field := range t.Fields() {
			name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
			embedded := field.Type
			if embedded.Kind() == reflect.Pointer {
				embedded = embedded.Elem()
			}
			switch {
			case name == "-" && options == "", !field.IsExported() && !field.Anonymous:
				continue
			case field.Anonymous && (name != "" || embedded.Kind() != reflect.Struct || special(embedded) != nil):
				return false
			case strings.Contains(","+options+",", ",string,"):
				return false
			case !inspect(field.Type, known, seen):
				return false
			}
		}
	}
	return true
}

// everyKind returns the JSON types. A schema without a type would not do: the library turns
// a pointer to such a type into a schema that accepts only null.
func everyKind() []string {
	return []string{"null", "boolean", "number", "string", "array", "object"}
}

// relax turns a schema that accepts every type into one that accepts any value.
func relax(s *jsonschema.Schema) {
	if s == nil {
		return
	}
	if len(s.Types) == len(everyKind()) {
		s.Types = nil
	}
	for _, p := range s.Properties {
		relax(p)
	}
	relax(s.Items)
	relax(s.AdditionalProperties)
}

// special returns the schema of a type that encodes itself, nil for other types.
func special(t reflect.Type) *jsonschema.Schema {
	implements := func(i reflect.Type) bool { return t.Implements(i) || reflect.PointerTo(t).Implements(i) }
	switch {
	case t == reflect.TypeFor[time.Time]():
		return &jsonschema.Schema{Type: "string", Format: "date-time"}
	case t == reflect.TypeFor[json.Number]():
		return &jsonschema.Schema{Types: []string{"number", "string"}}
	case t.Kind() == reflect.Interface:
		return nil
	case implements(reflect.TypeFor[json.Unmarshaler]()), implements(reflect.TypeFor[json.Marshaler]()):
		return &jsonschema.Schema{Types: everyKind()}
	case implements(reflect.TypeFor[encoding.TextUnmarshaler]()), implements(reflect.TypeFor[encoding.TextMarshaler]()):
		return &jsonschema.Schema{Type: "string"}
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8 && special(t.Elem()) == nil:
		return &jsonschema.Schema{Types: []string{"null", "string"}, ContentEncoding: "base64"}
	}
	return nil
}
