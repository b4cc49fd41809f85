package taskspec

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strconv"
)

// Schema returns the format as JSON Schema, draft 2020-12, indented and with a
// line feed at its end. Editors complete and check a spec with it. With
// Rules.Template it is the schema of templates; it has no upper bound for
// cpu_percent unless Rules.Cores is set.
//
// It comes from the same table as the checks of [DecodeValid] and accepts the
// same, but for what a schema cannot say: a key given twice, a value nested
// more than 64 deep, half of a UTF-16 pair, what the base64 of a [RawString] holds,
// a whole number written as 3.0 and a number or tid that does not fit 64 bits pass
// the schema only. In turn, the
// schema of templates does not know tid, state and weft_context at all, while
// DecodeValid lets them pass where they are null or empty.
func Schema(rules Rules) []byte { return specs.schema(rules) }

// text is the schema of a whole document as text.
func (s *schema) text(title, description string) []byte {
	s.Dialect = "https://json-schema.org/draft/2020-12/schema"
	s.Title, s.Description = title, description
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // patterns are for people too
	e.SetIndent("", "  ")
	_ = e.Encode(s) // nothing in a schema can fail to be written
	return b.Bytes()
}

// schema is the part of JSON Schema that the format needs. Its zero value
// accepts everything.
type schema struct {
	Dialect     string `json:"$schema,omitempty"`
	Title       string `json:"title,omitempty"`
	Description string `json:"description,omitempty"`
	Type        types  `json:"type,omitempty"`
	Default     any    `json:"default,omitempty"`

	Enum             []string `json:"enum,omitempty"`
	Const            Kind     `json:"const,omitempty"`
	Minimum          *float64 `json:"minimum,omitempty"`
	ExclusiveMinimum *float64 `json:"exclusiveMinimum,omitempty"`
	Maximum          *float64 `json:"maximum,omitempty"`
	MinLength        *int     `json:"minLength,omitempty"`
	MaxLength        *int     `json:"maxLength,omitempty"`
	Pattern          string   `json:"pattern,omitempty"`
	Items            *schema  `json:"items,omitempty"`

	Properties           properties `json:"properties,omitempty"`
	PropertyNames        *schema    `json:"propertyNames,omitempty"`
	AdditionalProperties any        `json:"additionalProperties,omitempty"` // false or *schema
	MaxProperties        *int       `json:"maxProperties,omitempty"`
	MinItems             *int       `json:"minItems,omitempty"`
	MaxItems             *int       `json:"maxItems,omitempty"`
	Required             []string   `json:"required,omitempty"`

	Not   *schema   `json:"not,omitempty"`
	AnyOf []*schema `json:"anyOf,omitempty"`
	AllOf []*schema `json:"allOf,omitempty"`
	If    *schema   `json:"if,omitempty"`
	Then  *schema   `json:"then,omitempty"`
}

// types are names of forms, of which a value has one.
type types []string

// MarshalJSON writes a single name without a list around it.
func (t types) MarshalJSON() ([]byte, error) {
	if len(t) == 1 {
		return json.Marshal(t[0])
	}
	return json.Marshal([]string(t))
}

// properties are the fields of a record, which are shown in the order of the
// format.
type properties []property

type property struct {
	name   string
	schema *schema
}

// MarshalJSON writes an object.
func (p properties) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, prop := range p {
		if i > 0 {
			b = append(b, ',')
		}
		value, err := json.Marshal(prop.schema)
		if err != nil {
			return nil, err
		}
		b = append(append(strconv.AppendQuote(b, prop.name), ':'), value...)
	}
	return append(b, '}'), nil
}

// merge adds what the keywords say.
func (s *schema) merge(keywords schema) {
	to, from := reflect.ValueOf(s).Elem(), reflect.ValueOf(keywords)
	for i := range from.NumField() {
		if !from.Field(i).IsZero() {
			to.Field(i).Set(from.Field(i))
		}
	}
}

// schema describes a value of the shape.
func (s *shape) schema(rules Rules) *schema {
	to := new(schema)
	if s.form != formFree {
		to.Type = types{forms[s.form].json}
	}
	if s.item != nil {
		to.Items = s.item.schema(rules)
	}
	if s.form == formRaw {
		to.orRaw()
	}
	if s.form != formRecord {
		return to
	}
	to.AdditionalProperties = false
	for _, f := range s.order {
		if f.spawned && rules.Template {
			continue
		}
		to.Properties = append(to.Properties, property{f.name, f.schema(rules)})
		if f.missing != "" && f.kind == "" {
			to.Required = append(to.Required, f.name)
		}
	}
	for _, kind := range kinds() {
		if then := s.schemaFor(kind); then != nil {
			is := &schema{Properties: properties{{"type", &schema{Const: kind}}}, Required: []string{"type"}}
			to.AllOf = append(to.AllOf, &schema{If: is, Then: then})
		}
	}
	return to
}

// schema describes a field. Where a field need not be there it may be null.
func (f *field) schema(rules Rules) *schema {
	to := f.shape.schema(rules)
	to.Description, to.Default = f.about, f.byDefault
	if to.Type != nil && (f.missing == "" || f.kind != "") {
		to.Type = append(to.Type, "null")
	}
	for _, r := range f.rules {
		r.describe(to, f, rules)
	}
	return to
}

// schemaFor says what a record must be for one kind of work, nil where that
// does not matter.
func (s *shape) schemaFor(kind Kind) *schema {
	then := new(schema)
	for _, f := range s.order {
		if only := f.schemaFor(kind); only != nil {
			then.Properties = append(then.Properties, property{f.name, only})
		}
		if f.kind == kind && f.missing != "" {
			then.Required = append(then.Required, f.name)
		}
	}
	if then.Properties == nil {
		return nil
	}
	return then
}

func (f *field) schemaFor(kind Kind) *schema {
	switch {
	case f.kind == kind && f.missing != "":
		filled := &schema{Type: types{"string"}, Pattern: filledPattern}
		if f.raw {
			filled.orRaw()
		}
		return filled
	case f.kind != "" && f.kind != kind:
		return &schema{MaxLength: new(0), MaxProperties: new(0)}
	}
	for _, r := range f.rules {
		if r, ok := r.(arguments); ok {
			return r.describeFor(kind)
		}
	}
	return nil
}
