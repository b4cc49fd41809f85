package taskspec

import (
	"reflect"
	"slices"
	"sync"
)

// document is a kind of document, with all that is known of it: reading one, checking one
// and its schema come from it. It is made in full when it is first needed: a client that
// reads no such document does not pay for it.
type document[T any] struct {
	title, about string
	format       func() map[string]entry
	also         func(c *checker, v *T) // checks what is beyond single fields

	once  sync.Once
	whole *shape
}

func (d *document[T]) shape() *shape {
	d.once.Do(func() { d.whole = shapeOf(reflect.TypeFor[T](), "", d.format()) })
	return d.whole
}

// problems returns all that is wrong, in the order of the format, and then what is beyond
// single fields.
func (d *document[T]) problems(v *T, rules Rules) []Problem {
	c := checker{rules: rules}
	if s, isSpec := any(v).(*Spec); isSpec && slices.Contains(kinds(), s.Work.Type) {
		c.kind = s.Work.Type
	}
	c.record(d.shape(), reflect.ValueOf(v).Elem(), 1)
	if d.also != nil {
		d.also(&c, v)
	}
	return c.problems
}

// validate returns a *[ValidationError] with all that is wrong.
func (d *document[T]) validate(v *T, rules Rules) error {
	r := report{problems: d.problems(v, rules)}
	return r.err()
}

// decode reads a document strictly, and only looks at its form.
func (d *document[T]) decode(data []byte) (*T, error) {
	v := new(T)
	problems, _ := decode(data, d.shape(), reflect.ValueOf(v).Elem())
	if err := problems.err(); err != nil {
		return nil, err
	}
	return v, nil
}

// decodeValid is decode that also validates, and reports what is wrong in either way
// together.
func (d *document[T]) decodeValid(data []byte, rules Rules) (*T, error) {
	v := new(T)
	problems, isJSON := decode(data, d.shape(), reflect.ValueOf(v).Elem())
	if isJSON {
		undecoded := problems.problems
		for _, p := range d.problems(v, rules) {
			// What could not be decoded is empty now, which is not a second problem.
			if !covers(undecoded, p.Path) {
				problems.add(p.Path, p.Text)
			}
		}
	}
	if err := problems.err(); err != nil {
		return nil, err
	}
	return v, nil
}

// schema returns the format as JSON Schema.
func (d *document[T]) schema(rules Rules) []byte {
	return d.shape().schema(rules).Document(d.title, d.about)
}
