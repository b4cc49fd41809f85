// Package jsonobject writes JSON objects field by field.
package jsonobject

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"time"
	"unicode/utf8"
)

// An Object is an object in JSON, its fields in the order in which they were added. A
// time is the number of nanoseconds since 1970, or null if it is zero.
type Object struct {
	text  bytes.Buffer // without the braces
	names []string
	err   error
}

// New returns an object with these fields, each a name and then a value.
func New(fields ...any) *Object {
	o := new(Object)
	for i := 0; i+1 < len(fields); i += 2 {
		o.Add(fmt.Sprint(fields[i]), fields[i+1])
	}
	return o
}

// Add adds a field.
func (o *Object) Add(name string, value any) *Object {
	if t, ok := value.(time.Time); ok {
		if t.IsZero() {
			value = nil
		} else {
			value = t.UnixNano()
		}
	}
	if len(o.names) > 0 {
		o.text.WriteByte(',')
	}
	o.names = append(o.names, name)
	fmt.Fprintf(&o.text, "%q:", name)
	if err := encode(&o.text, value); err != nil && o.err == nil {
		o.err = fmt.Errorf("encode %s: %w", name, err)
	}
	return o
}

// AddTime adds a time twice: as NAME_at, the number of nanoseconds since 1970, or null if
// it is zero; and unless it is zero as NAME, as text in the format of RFC 3339.
func (o *Object) AddTime(name string, t time.Time) *Object {
	if o.Add(name+"_at", t); t.IsZero() {
		return o
	}
	return o.Add(name, t.UTC().Format(time.RFC3339Nano))
}

// AddOrNull adds a field that is null if its value is zero.
func (o *Object) AddOrNull(name string, value any) *Object {
	if isZero(value) {
		value = nil
	}
	return o.Add(name, value)
}

// AddUnlessZero adds a field if its value is not zero.
func (o *Object) AddUnlessZero(name string, value any) *Object {
	if isZero(value) {
		return o
	}
	return o.Add(name, value)
}

// isZero reports whether a value is zero, or a list of nothing.
func isZero(value any) bool {
	v := reflect.ValueOf(value)
	return !v.IsValid() || v.IsZero() || v.Kind() == reflect.Slice && v.Len() == 0
}

// AddFields adds the fields of a value that is an object in JSON, but those whose name
// is there already.
func (o *Object) AddFields(value any) *Object {
	text, err := Encode(value)
	fields := json.NewDecoder(bytes.NewReader(text))
	for _, _ = fields.Token(); err == nil && fields.More(); {
		var name json.Token
		var field json.RawMessage
		if name, err = fields.Token(); err == nil {
			err = fields.Decode(&field)
		}
		if err == nil && !slices.Contains(o.names, fmt.Sprint(name)) {
			o.Add(fmt.Sprint(name), field)
		}
	}
	o.err = cmp.Or(o.err, err)
	return o
}

// MarshalJSON returns the object.
func (o *Object) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, "{%s}", o.text.Bytes()), o.err
}

// Encode is json.Marshal without the escapes that are there for HTML.
func Encode(value any) ([]byte, error) {
	var b bytes.Buffer
	err := encode(&b, value)
	return b.Bytes(), err
}

func encode(b *bytes.Buffer, value any) error {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	err := e.Encode(value)
	if err == nil {
		b.Truncate(b.Len() - 1) // without the end of a line
	}
	return err
}

// TextOrBytes is a string, or an object that holds base64 where p is not text.
func TextOrBytes(p []byte) any {
	if utf8.Valid(p) {
		return string(p)
	}
	return New("type", "bytes", "encoding", "base64", "data", base64.StdEncoding.EncodeToString(p))
}
