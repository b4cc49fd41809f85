package taskspec

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// decoder fills a Spec, or a Pipeline, from a document in one walk and reports every place
// where the document is not what the format says. encoding/json would let most
// of them pass: it skips unknown keys, takes the last of two, matches keys in
// any case, reads null as an empty string and replaces what is not Unicode. A
// second walk that finds those costs more than this one alone.
//
// Where something is wrong the value is skipped and the walk goes on.
type decoder struct {
	cursor
	report report
	steps  []step // the way from the root to the value at the cursor
}

// step is one part of a path: an index, or a key where the index is negative.
type step struct {
	key   string
	index int
}

// problem reports something wrong at the current path.
func (d *decoder) problem(format string, args ...any) {
	if d.report.full() {
		return // the path of every problem of a hostile document would take long
	}
	path := ""
	for _, s := range d.steps {
		if s.index >= 0 {
			path = element(path, s.index)
		} else {
			path = child(path, s.key)
		}
	}
	d.report.add(path, fmt.Sprintf(format, args...))
}

// field decodes the value at the cursor into a field of the format. null leaves
// the field as it is.
func (d *decoder) field(want *shape, into reflect.Value) {
	b := d.peek()
	if b == 'n' {
		d.word()
		return
	}
	if !want.form.fits(b) {
		d.mismatch(want.form)
		return
	}
	if into.Kind() == reflect.Pointer {
		into.Set(reflect.New(into.Type().Elem()))
		into = into.Elem()
	}
	switch want.form {
	case formText:
		into.SetString(d.string())
	case formRaw:
		into.SetString(d.raw())
	case formFlag:
		into.SetBool(d.word() == "true")
	case formNumber, formWhole, formSeconds:
		d.number(want, into)
	case formRecord:
		d.record(want, into)
	default:
		d.others(want, into)
	}
}

// mismatch reports that the value at the cursor is not what the format wants,
// and skips it.
func (d *decoder) mismatch(want form) {
	got := "null"
	for _, f := range []form{formText, formFlag, formNumber, formList, formObject} {
		if f.fits(d.peek()) {
			got = forms[f].name
		}
	}
	d.problem("want %s, got %s", forms[want].name, got)
	d.skip()
}

// record decodes an object whose keys are the fields of a struct.
func (d *decoder) record(want *shape, into reflect.Value) {
	var seen uint64
	for key := range d.members {
		f := want.fields[key]
		switch {
		case f == nil:
			d.problem("unknown field%s", want.hint(key))
			d.skip()
		case seen&(1<<f.index) != 0:
			d.problem("given twice")
			d.skip()
		default:
			seen |= 1 << f.index
			d.field(f.shape, into.Field(f.index))
		}
	}
}

// whole decodes a record where null has no meaning.
func (d *decoder) whole(want *shape, into reflect.Value) {
	if !want.form.fits(d.peek()) {
		d.mismatch(want.form)
		return
	}
	d.record(want, into)
}

// others decodes a list, an object whose keys are the user's, or any value.
func (d *decoder) others(want *shape, into reflect.Value) {
	text := (*decoder).listedText
	if want.raw {
		text = (*decoder).raw
	}
	switch into := into.Addr().Interface().(type) {
	case *any:
		*into = d.free()
	case *[]any:
		*into = list(d, (*decoder).free)
	case *[]string:
		*into = list(d, text)
	case *map[string]any:
		*into = object(d, (*decoder).free)
	case *map[string]string:
		*into = object(d, text)
	default: // a list of records
		d.records(want.item, reflect.ValueOf(into).Elem())
	}
}

// records decodes a list of objects whose keys are the fields of a struct.
func (d *decoder) records(want *shape, into reflect.Value) {
	list(d, func(d *decoder) struct{} {
		into.Set(reflect.Append(into, reflect.Zero(into.Type().Elem())))
		d.whole(want, into.Index(into.Len()-1))
		return struct{}{}
	})
}

// hint names the field that an unknown key is a case variant of.
func (s *shape) hint(key string) string {
	for name := range s.fields {
		if strings.EqualFold(name, key) {
			return fmt.Sprintf(" (did you mean %q?)", name)
		}
	}
	return ""
}

// object decodes an object whose keys are the user's.
func object[V any](d *decoder, value func(*decoder) V) map[string]V {
	values := make(map[string]V)
	for key := range d.members {
		if _, twice := values[key]; twice {
			d.problem("given twice")
		}
		values[key] = value(d)
	}
	return values
}

// list decodes a list.
func list[V any](d *decoder, value func(*decoder) V) []V {
	values := []V{}
	if !d.enter(step{}) {
		return values
	}
	for d.more(']') {
		values = append(values, value(d))
		d.steps[len(d.steps)-1].index++
	}
	d.leave()
	return values
}

// members yields the keys of the object at the cursor, which is then at the
// value of each; the caller must move it behind the value.
func (d *decoder) members(yield func(key string) bool) {
	if !d.enter(step{index: -1}) {
		return
	}
	for d.more('}') {
		literal := d.key()
		key := unquote(literal)
		d.steps[len(d.steps)-1].key = key
		if loneSurrogate(literal) {
			d.problem("the key %s", halfPair)
		}
		if !yield(key) {
			return
		}
	}
	d.leave()
}

// enter moves into the list or object at the cursor, or reports that it is
// nested too deep and skips it.
func (d *decoder) enter(first step) bool {
	if len(d.steps) >= maxDepth {
		d.problem("nested more than %d deep", maxDepth)
		d.skip()
		return false
	}
	d.pos++
	d.steps = append(d.steps, first)
	return true
}

// leave forgets the step that [decoder.enter] made.
func (d *decoder) leave() { d.steps = d.steps[:len(d.steps)-1] }

// free decodes a value that has no schema.
func (d *decoder) free() any {
	switch b := d.peek(); {
	case b == '{':
		return object(d, (*decoder).free)
	case b == '[':
		return list(d, (*decoder).free)
	case b == '"':
		return d.string()
	case isNumber(b):
		return json.Number(d.word())
	case b == 'n':
		d.word()
		return nil
	}
	return d.word() == "true"
}

// listedText decodes a string in a list or a map, where null has no meaning.
func (d *decoder) listedText() string {
	if !formText.fits(d.peek()) {
		d.mismatch(formText)
		return ""
	}
	return d.string()
}

// raw decodes a string of any bytes. null has no meaning here.
func (d *decoder) raw() string {
	if !formRaw.fits(d.peek()) {
		d.mismatch(formRaw)
		return ""
	}
	if formText.fits(d.peek()) {
		return d.string()
	}
	text, ok := rawText(d.free())
	if !ok {
		d.problem("want %s", aRawString)
	}
	return text
}

// string decodes the string at the cursor.
func (d *decoder) string() string {
	literal := d.literal()
	if loneSurrogate(literal) {
		d.problem(halfPair)
	}
	return unquote(literal)
}

// number decodes the number at the cursor into a field.
func (d *decoder) number(want *shape, into reflect.Value) {
	word := d.word()
	if want.form != formWhole {
		f, err := strconv.ParseFloat(word, 64)
		switch {
		case err != nil:
			d.problem("%s is out of range", visible(word, maxShown))
		case want.form == formNumber:
			into.SetFloat(f)
		case f == 0 && want.zero != "":
			d.problem("%s", want.zero)
		default:
			into.SetInt(int64(seconds(f)))
		}
		return
	}
	n, err := strconv.ParseInt(word, 10, into.Type().Bits())
	switch {
	case strings.ContainsAny(word, ".eE"):
		d.problem("want a whole number, got %s", visible(word, maxShown))
	case err != nil:
		d.problem("%s is out of range", visible(word, maxShown))
	}
	into.SetInt(n)
}
