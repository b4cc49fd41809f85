package taskspec

import (
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Rules are what [Spec.ValidateFor] and [Schema] need to know beyond the spec.
// The zero value accepts a template as well as a task, on a machine of any
// size.
type Rules struct {
	// Template refuses what only a spawned task has: tid, state, weft_context.
	Template bool
	// Cores is the number of cores of the machine the task is for, as
	// runtime.NumCPU counts them. It bounds cpu_percent; 0 means unknown, and
	// then there is no upper bound.
	Cores int
	// Supported refuses what [Spec.Unsupported] lists. A schema does not
	// depend on it.
	Supported bool
}

// checker applies the rules of the format to one document.
type checker struct {
	report
	rules Rules
	kind  Kind // of the work; empty where it is unknown
	level int  // of a list or an object in the current record, in the document
	index int  // of the current element of a list of records
}

// Validate checks every rule of the format that does not depend on the machine
// and returns a *[ValidationError] with all that is broken. The tid may be
// missing. Defaults are valid, so it does not matter whether they are filled in.
func (s *Spec) Validate() error { return s.ValidateFor(Rules{}) }

// ValidateTemplate is [Spec.Validate] for a spec that has not been spawned: it
// must not have a tid, a state or a weft_context.
func (s *Spec) ValidateTemplate() error { return s.ValidateFor(Rules{Template: true}) }

// ValidateFor is [Spec.Validate] with rules of its own.
func (s *Spec) ValidateFor(rules Rules) error { return specs.validate(s, rules) }

var specs = &document[Spec]{
	title: "Weft TaskSpec", about: "One task: what it runs, and how.", format: format,
	also: func(c *checker, s *Spec) {
		if c.rules.Supported {
			for _, p := range s.Unsupported() {
				c.add(p.Path, p.Text)
			}
		}
	},
}

// kinds are the kinds of work there are.
func kinds() []Kind { return []Kind{KindCommand, KindFunction} }

// record checks the fields of a record that is so deep in the document.
func (c *checker) record(want *shape, of reflect.Value, depth int) {
	for _, f := range want.order {
		value, path := of.Field(f.index), c.path(f)
		switch there := !value.IsZero(); {
		case f.spawned && c.rules.Template:
			if there {
				c.add(path, "not allowed in a template: it is set when the task is spawned")
			}
		case f.shape.form == formRecord:
			if value = reflect.Indirect(value); value.IsValid() {
				c.record(f.shape, value, depth+1)
			}
		default:
			c.presence(f, value)
			c.level = depth + 1
			if value = reflect.Indirect(value); there {
				for _, r := range f.rules {
					r.check(c, path, value)
				}
			}
		}
		if f.shape.item != nil {
			for i := range value.Len() {
				c.index = i
				c.record(f.shape.item, value.Index(i), depth+2)
			}
		}
	}
}

// presence checks that a field is there where it must be, and not where it must
// not.
func (c *checker) presence(f *field, value reflect.Value) {
	switch {
	case f.kind == "":
		if f.missing != "" && value.IsZero() {
			c.add(c.path(f), f.missing)
		}
	case f.kind == c.kind:
		if f.missing != "" && strings.TrimSpace(value.String()) == "" {
			c.add(c.path(f), f.missing)
		}
	case c.kind != "" && value.Len() > 0:
		c.add(c.path(f), "only for a "+string(f.kind))
	}
}

// path leads to a field, in the current element of a list.
func (c *checker) path(f *field) string {
	list, rest, inList := strings.Cut(f.path, anyElement)
	if !inList {
		return f.path
	}
	return element(list, c.index) + rest
}

// maxName is the greatest length of a task's name, in characters.
const maxName = 200

// maxKey is the greatest length of a task's key, in characters: an address or a
// few ids with a word between them.
const maxKey = 200

// sortedKeys returns the keys of m in an order that does not change from run to
// run. An empty map, the usual case, costs nothing.
func sortedKeys[V any](m map[string]V) []string {
	if len(m) == 0 {
		return nil
	}
	return slices.Sorted(maps.Keys(m))
}
