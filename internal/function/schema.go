package function

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// A schema is the part of JSON Schema (draft 2020-12) that describes what
// encoding/json makes of a Go type. The zero value accepts anything.
//
// It is our own because the CLI links it, and a person waits for the CLI:
// github.com/google/jsonschema-go takes 0.17 ms of each start, more than any other
// package, and must be kept from types that encoding/json treats specially.
type schema struct {
	Types       kinds       `json:"type,omitempty"`
	Description string      `json:"description,omitempty"`
	Properties  *properties `json:"properties,omitempty"`
	Required    []string    `json:"required,omitempty"`
	// Others is what further properties have to be; nil: anything.
	Others   *schema  `json:"additionalProperties,omitempty"`
	Items    *schema  `json:"items,omitempty"`
	MinItems *int     `json:"minItems,omitempty"`
	MaxItems *int     `json:"maxItems,omitempty"`
	Minimum  *float64 `json:"minimum,omitempty"`
	Maximum  *float64 `json:"maximum,omitempty"`
	Format   string   `json:"format,omitempty"`
	Encoding string   `json:"contentEncoding,omitempty"`

	never bool // it accepts nothing
}

// kinds are the JSON types that a schema accepts, none if it accepts any. One
// alone is written as text.
type kinds []string

// property is what an object has under a name.
type property struct {
	name string
	schema
}

// properties are those of an object in the order of the fields.
type properties []property

// get returns the schema of a property, nil if there is none of that name.
func (p *properties) get(name string) *schema {
	if p != nil {
		for i := range *p {
			if (*p)[i].name == name {
				return &(*p)[i].schema
			}
		}
	}
	return nil
}

// names returns the names of all properties, sorted.
func (p *properties) names() (names []string) {
	if p != nil {
		for _, one := range *p {
			names = append(names, one.name)
		}
	}
	slices.Sort(names)
	return names
}

// readSchema reads what schema.text has written.
func readSchema(text json.RawMessage) (*schema, error) {
	s := new(schema)
	if err := json.Unmarshal(text, s); err != nil {
		return nil, fmt.Errorf("read schema: %w", err)
	}
	return s, nil
}

// text is the schema in JSON.
func (s *schema) text() json.RawMessage {
	text, err := json.Marshal(s)
	if err != nil {
		return json.RawMessage("true") // never: it holds nothing that has no JSON
	}
	return text
}

// MarshalJSON writes the schemas that accept anything and nothing as true and
// false.
func (s *schema) MarshalJSON() ([]byte, error) {
	type fields schema
	if s.never {
		return []byte("false"), nil
	}
	text, err := json.Marshal((*fields)(s))
	if string(text) == "{}" {
		text = []byte("true")
	}
	return text, err
}

// UnmarshalJSON reads what MarshalJSON has written.
func (s *schema) UnmarshalJSON(text []byte) error {
	type fields schema
	*s = schema{}
	switch string(text) {
	case "true":
		return nil
	case "false":
		s.never = true
		return nil
	}
	return json.Unmarshal(text, (*fields)(s))
}

// MarshalJSON writes one kind as text and several as a list.
func (k kinds) MarshalJSON() ([]byte, error) {
	if len(k) == 1 {
		return json.Marshal(k[0])
	}
	return json.Marshal([]string(k))
}

// UnmarshalJSON reads either.
func (k *kinds) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*k = kinds{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(k))
}

// MarshalJSON writes an object.
func (p properties) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i := range p {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(p[i].name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(&p[i].schema)
		if err != nil {
			return nil, err
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// UnmarshalJSON reads an object in the order in which it is written.
func (p *properties) UnmarshalJSON(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return fmt.Errorf("properties are %v, want an object", open)
	}
	*p = nil
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		one := property{name: fmt.Sprint(name)}
		if err := d.Decode(&one.schema); err != nil {
			return err
		}
		*p = append(*p, one)
	}
	return nil
}
