package ledger

import (
	"encoding/json"
	"strconv"
	"strings"

	"weft/internal/proc"
	"weft/taskspec"
)

// A jsonObject is a JSON object that is written field by field. A task has at least four
// events and as many records, and encoding/json takes as long to skip the empty fields of
// one as the store takes to write it. The result is the same as that of encoding/json.
type jsonObject struct {
	text strings.Builder
	more bool  // a field has been written
	err  error // the first one
}

// name starts a field.
func (o *jsonObject) name(name string) {
	open := `{"`
	if o.more {
		open = `,"`
	}
	o.more = true
	o.text.WriteString(open)
	o.text.WriteString(name)
	o.text.WriteString(`":`)
}

// stringField adds a string.
func (o *jsonObject) stringField(name, v string) {
	if !plain(v) {
		o.value(name, v)
		return
	}
	o.name(name)
	o.text.WriteByte('"')
	o.text.WriteString(v)
	o.text.WriteByte('"')
}

// string adds a string, unless it is empty.
func (o *jsonObject) string(name, v string) {
	if v != "" {
		o.stringField(name, v)
	}
}

// rawString adds a string of any bytes, unless it is empty.
func (o *jsonObject) rawString(name string, v taskspec.RawString) {
	switch {
	case v == "":
	case plain(string(v)):
		o.stringField(name, string(v))
	default:
		o.value(name, v)
	}
}

// plain reports whether a string needs no escapes.
func plain(v string) bool {
	for i := range len(v) {
		switch c := v[i]; {
		case c < ' ', c > '~', c == '"', c == '\\', c == '<', c == '>', c == '&':
			return false
		}
	}
	return true
}

// strings adds a list, unless it is empty.
func (o *jsonObject) strings(name string, v []string) {
	if len(v) > 0 {
		o.value(name, v)
	}
}

// number adds a number, unless it is 0.
func (o *jsonObject) number(name string, v int64) {
	if v != 0 {
		o.anyNumber(name, v)
	}
}

// anyNumber adds a number.
func (o *jsonObject) anyNumber(name string, v int64) {
	o.name(name)
	var digits [20]byte
	o.text.Write(strconv.AppendInt(digits[:0], v, 10))
}

// flag adds a field that is true, unless v is false.
func (o *jsonObject) flag(name string, v bool) {
	if v {
		o.name(name)
		o.text.WriteString("true")
	}
}

// object adds an object, whose fields fill writes.
func (o *jsonObject) object(name string, fill func()) {
	o.name(name)
	o.more = false
	fill()
	o.close()
}

// process adds a process, unless it is the zero value.
func (o *jsonObject) process(name string, p proc.Identity) {
	if p != (proc.Identity{}) {
		o.object(name, func() {
			o.anyNumber("pid", int64(p.PID))
			o.name("ticks")
			var digits [20]byte
			o.text.Write(strconv.AppendUint(digits[:0], p.Ticks, 10))
			o.stringField("boot", p.Boot)
		})
	}
}

// value adds any value.
func (o *jsonObject) value(name string, v any) {
	text, err := json.Marshal(v)
	if err != nil && o.err == nil {
		o.err = err
	}
	o.raw(name, text)
}

// raw adds a field that is JSON already, unless it is empty.
func (o *jsonObject) raw(name string, text []byte) {
	if len(text) > 0 {
		o.name(name)
		o.text.Write(text)
	}
}

// close ends an object.
func (o *jsonObject) close() {
	if !o.more {
		o.text.WriteByte('{')
	}
	o.text.WriteByte('}')
	o.more = true
}

// end returns the whole object.
func (o *jsonObject) end() (string, error) {
	o.close()
	return o.text.String(), o.err
}
