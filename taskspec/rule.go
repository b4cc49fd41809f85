package taskspec

import (
	"fmt"
	"reflect"
	"time"

	"weft/internal/schema"
)

// A rule says which values a field may have: as a check of a value that is
// there, and as keywords of JSON Schema. Each kind of rule has the two side by
// side, and a test compares what they accept.
type rule interface {
	check(c *checker, path string, value reflect.Value)
	describe(to *schema.Schema, f *field, rules Rules)
}

// span is a rule for numbers. They are at least least, or more than least where
// it is open, and at most most, if that is not 0.
type span struct {
	least, most float64
	open        bool
	unit        string
	perCore     bool // it is percents of one core, of which the machine has several
}

// on returns the span on the machine of the rules.
func (s span) on(rules Rules) span {
	if s.perCore {
		return span{least: 1, most: float64(100 * rules.Cores), unit: ", 100 for each core"}
	}
	return s
}

func (s span) check(c *checker, path string, value reflect.Value) {
	s = s.on(c.rules)
	var v float64
	switch d, isTime := value.Interface().(time.Duration); {
	case isTime:
		v = d.Seconds()
	case value.CanInt():
		v = float64(value.Int())
	default:
		v = value.Float()
	}
	// Written so that NaN, which a spec built in Go may hold, is refused too.
	if enough := v > s.least || v == s.least && !s.open; !enough || s.most > 0 && v > s.most {
		c.add(path, s.String())
	}
}

// String says what the number must be.
func (s span) String() string {
	switch {
	case s.open:
		return fmt.Sprintf("must be more than %.0f and at most %.0f%s", s.least, s.most, s.unit)
	case s.most > 0:
		return fmt.Sprintf("must be from %.0f to %.0f%s", s.least, s.most, s.unit)
	}
	return fmt.Sprintf("must be at least %.0f", s.least)
}

func (s span) describe(to *schema.Schema, _ *field, rules Rules) {
	s = s.on(rules)
	if to.Minimum = &s.least; s.open {
		to.Minimum, to.ExclusiveMinimum = nil, &s.least
	}
	if s.most > 0 {
		to.Maximum = &s.most
	}
}

// arguments is the rule for what a command or a function is called with. Only
// the kind of work says which values these may be.
type arguments struct{}

func (arguments) check(c *checker, path string, value reflect.Value) {
	for i, arg := range value.Interface().([]any) {
		at := element(path, i)
		if c.kind != KindCommand {
			checkFree(&c.report, at, arg, c.level+1)
		} else if text, ok := argText(arg); ok {
			checkOSText(&c.report, at, text)
		} else {
			c.add(at, badArgument)
		}
	}
}

func (arguments) describe(*schema.Schema, *field, Rules) {}

// describeFor says more about the arguments of one kind of work.
func (arguments) describeFor(kind Kind) *schema.Schema {
	if kind != KindCommand {
		return nil
	}
	item := osRule().keywords
	item.Type = schema.Types{"string", "number"}
	orRaw(&item)
	return &schema.Schema{Items: &item}
}

// stageCount is the rule for the list of stages.
type stageCount struct{}

func (stageCount) check(c *checker, path string, value reflect.Value) {
	if n := value.Len(); n < 1 || n > MaxStages {
		c.add(path, fmt.Sprintf("has %d stages, from 1 to %d are allowed", n, MaxStages))
	}
}

func (stageCount) describe(to *schema.Schema, _ *field, _ Rules) {
	to.MinItems, to.MaxItems = new(1), new(MaxStages)
}

// free is the rule for a value, or an object or a list of values, that has no schema.
type free struct{}

func (free) check(c *checker, path string, value reflect.Value) {
	checkFree(&c.report, path, value.Interface(), c.level)
}

func (free) describe(*schema.Schema, *field, Rules) {}

// metadata is the rule for the submitter's own, in which two names have a
// meaning.
type metadata struct{ free }

func (m metadata) check(c *checker, path string, value reflect.Value) {
	fields := value.Interface().(map[string]any)
	switch tags := fields["tags"].(type) {
	case nil, []string:
	case []any:
		for i, tag := range tags {
			if _, ok := tag.(string); !ok {
				c.add(element(path+".tags", i), "must be a string")
			}
		}
	default:
		c.add(path+".tags", "must be a list of strings")
	}
	if parent := fields["parent_tid"]; parent != nil {
		if tid, ok := parent.(string); !ok || !validTID(tid) {
			c.add(path+".parent_tid", "must be a tid of 19 digits, as a string")
		}
	}
	m.free.check(c, path, value)
}

func (metadata) describe(to *schema.Schema, _ *field, _ Rules) {
	parent := tidRule().keywords
	parent.Type = schema.Types{"string", "null"}
	parent.Description = "The task that submitted this one: set when a task does."
	to.Properties = schema.Properties{
		{Name: "tags", Schema: &schema.Schema{
			Description: "Words to find the task by.",
			Type:        schema.Types{"array", "null"},
			Items:       &schema.Schema{Type: schema.Types{"string"}},
		}},
		{Name: "parent_tid", Schema: &parent},
	}
}
