package taskspec

import "weft/internal/schema"

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

// schema describes a value of the shape.
func (s *shape) schema(rules Rules) *schema.Schema {
	to := new(schema.Schema)
	if s.form != formFree {
		to.Type = schema.Types{forms[s.form].json}
	}
	if s.item != nil {
		to.Items = s.item.schema(rules)
	}
	if s.form == formRaw {
		orRaw(to)
	}
	if s.form != formRecord {
		return to
	}
	to.AdditionalProperties = &schema.Schema{Nothing: true}
	for _, f := range s.order {
		if f.spawned && rules.Template {
			continue
		}
		to.Properties = append(to.Properties, schema.Property{Name: f.name, Schema: f.schema(rules)})
		if f.missing != "" && f.kind == "" {
			to.Required = append(to.Required, f.name)
		}
	}
	for _, kind := range kinds() {
		if then := s.schemaFor(kind); then != nil {
			is := &schema.Schema{Properties: schema.Properties{{Name: "type", Schema: &schema.Schema{Const: string(kind)}}}, Required: []string{"type"}}
			to.AllOf = append(to.AllOf, &schema.Schema{If: is, Then: then})
		}
	}
	return to
}

// schema describes a field. Where a field need not be there it may be null.
func (f *field) schema(rules Rules) *schema.Schema {
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
func (s *shape) schemaFor(kind Kind) *schema.Schema {
	then := new(schema.Schema)
	for _, f := range s.order {
		if only := f.schemaFor(kind); only != nil {
			then.Properties = append(then.Properties, schema.Property{Name: f.name, Schema: only})
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

func (f *field) schemaFor(kind Kind) *schema.Schema {
	switch {
	case f.kind == kind && f.missing != "":
		filled := &schema.Schema{Type: schema.Types{"string"}, Pattern: filledPattern}
		if f.raw {
			orRaw(filled)
		}
		return filled
	case f.kind != "" && f.kind != kind:
		return &schema.Schema{MaxLength: new(0), MaxProperties: new(0)}
	}
	for _, r := range f.rules {
		if r, ok := r.(arguments); ok {
			return r.describeFor(kind)
		}
	}
	return nil
}
