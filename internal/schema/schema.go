// Package schema is the part of JSON Schema, draft 2020-12, that Weft uses: for its own
// documents, and for what functions take and return.
package schema

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
)

// Schema says what a JSON value must be. Its zero value accepts everything.
type Schema struct {
	Nothing bool `json:"-"` // it accepts nothing: "false"

	Dialect     string `json:"$schema,omitempty"`
	Title       string `json:"title,omitempty"`
	Description string `json:"description,omitempty"`
	Type        Types  `json:"type,omitempty"`
	Default     any    `json:"default,omitempty"`

	Enum             []string `json:"enum,omitempty"`
	Const            string   `json:"const,omitempty"`
	Minimum          *float64 `json:"minimum,omitempty"`
	ExclusiveMinimum *float64 `json:"exclusiveMinimum,omitempty"`
	Maximum          *float64 `json:"maximum,omitempty"`
	MinLength        *int     `json:"minLength,omitempty"`
	MaxLength        *int     `json:"maxLength,omitempty"`
	Pattern          string   `json:"pattern,omitempty"`
	Format           string   `json:"format,omitempty"`
	ContentEncoding  string   `json:"contentEncoding,omitempty"`
	Items            *Schema  `json:"items,omitempty"`

	Properties           Properties `json:"properties,omitempty"`
	PropertyNames        *Schema    `json:"propertyNames,omitempty"`
	AdditionalProperties *Schema    `json:"additionalProperties,omitempty"`
	MaxProperties        *int       `json:"maxProperties,omitempty"`
	MinItems             *int       `json:"minItems,omitempty"`
	MaxItems             *int       `json:"maxItems,omitempty"`
	Required             []string   `json:"required,omitempty"`

	Not   *Schema   `json:"not,omitempty"`
	AnyOf []*Schema `json:"anyOf,omitempty"`
	AllOf []*Schema `json:"allOf,omitempty"`
	If    *Schema   `json:"if,omitempty"`
	Then  *Schema   `json:"then,omitempty"`
}

type plainSchema Schema

// MarshalJSON writes the schema, or false for one that accepts nothing.
func (s *Schema) MarshalJSON() ([]byte, error) {
	if s.Nothing {
		return []byte("false"), nil
	}
	return json.Marshal((*plainSchema)(s))
}

// UnmarshalJSON reads a schema, which may be true or false.
func (s *Schema) UnmarshalJSON(data []byte) error {
	if accepts, err := strconv.ParseBool(string(data)); err == nil {
		*s = Schema{Nothing: !accepts}
		return nil
	}
	return json.Unmarshal(data, (*plainSchema)(s))
}

// Merge adds what the keywords say.
func (s *Schema) Merge(keywords Schema) {
	to, from := reflect.ValueOf(s).Elem(), reflect.ValueOf(keywords)
	for i := range from.NumField() {
		if !from.Field(i).IsZero() {
			to.Field(i).Set(from.Field(i))
		}
	}
}

// Document is the schema as the text of a document of its own, indented and with a line
// feed at its end.
func (s *Schema) Document(title, description string) []byte {
	s.Dialect = "https://json-schema.org/draft/2020-12/schema"
	s.Title, s.Description = title, description
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // patterns are for people too
	e.SetIndent("", "  ")
	_ = e.Encode(s) // nothing in a schema can fail to be written
	return b.Bytes()
}

// Types are names of JSON types, of which a value has one; none means any.
type Types []string

// MarshalJSON writes a single name without a list around it.
func (t Types) MarshalJSON() ([]byte, error) {
	if len(t) == 1 {
		return json.Marshal(t[0])
	}
	return json.Marshal([]string(t))
}

// UnmarshalJSON reads a name or a list of them.
func (t *Types) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*t = Types{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(t))
}

// Properties are the fields of an object, in the order in which people should see them.
type Properties []Property

// A Property is a field of an object.
type Property struct {
	Name   string
	Schema *Schema
}

// Get returns the schema of a field, nil if there is none.
func (p Properties) Get(name string) *Schema {
	if i := slices.IndexFunc(p, func(prop Property) bool { return prop.Name == name }); i >= 0 {
		return p[i].Schema
	}
	return nil
}

// MarshalJSON writes an object.
func (p Properties) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, prop := range p {
		if i > 0 {
			b = append(b, ',')
		}
		name, _ := json.Marshal(prop.Name) // cannot fail for text
		value, err := json.Marshal(prop.Schema)
		if err != nil {
			return nil, err
		}
		b = append(append(append(b, name...), ':'), value...)
	}
	return append(b, '}'), nil
}

// UnmarshalJSON reads an object, and keeps its order.
func (p *Properties) UnmarshalJSON(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		name, err := d.Token()
		prop := Property{Schema: new(Schema)}
		if err == nil {
			err = d.Decode(prop.Schema)
		}
		if err != nil {
			return err
		}
		prop.Name, _ = name.(string)
		*p = append(*p, prop)
	}
	return nil
}
