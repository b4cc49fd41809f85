package taskspec

import (
	"maps"
	"reflect"
	"strconv"
	"strings"
)

// RedactedText stands where something was hidden.
const RedactedText = "[redacted]"

// Redacted returns a copy for logs and dumps in which the values of env are
// hidden, and whatever the paths lead to as well: "spec.args",
// "metadata.token", "spec.keyword_args.login.password", "spec.args.1". Text
// becomes "[redacted]", a list becomes a list with only that in it, an object
// keeps its keys, and a number or a flag goes. A path that leads nowhere in this
// spec hides nothing; where a Go value is in the way that is neither a map
// with text for keys nor a list, all of it is hidden.
//
// The copy shares what is not hidden with s and is only to be read.
func (s *Spec) Redacted(paths ...string) *Spec {
	r := *s
	r.Env = maps.Clone(s.Env)
	for name := range r.Env {
		r.Env[name] = RedactedText
	}
	for _, path := range paths {
		if path = strings.TrimSpace(path); path != "" {
			r = hide(reflect.ValueOf(r), path).Interface().(Spec)
		}
	}
	return &r
}

// hide returns v without what is at path. It copies every container on the way
// and changes none.
func hide(v reflect.Value, path string) reflect.Value {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return v
		}
		c := reflect.New(v.Type().Elem())
		c.Elem().Set(hide(v.Elem(), path))
		return c
	case reflect.Interface:
		return hideFree(v, path)
	case reflect.Struct:
		return hideField(v, path)
	case reflect.Map:
		return hideKey(v, path)
	case reflect.Slice:
		return hideElement(v, path)
	}
	return v // the path goes on, the value does not
}

// hideFree looks into a value without a schema.
func hideFree(v reflect.Value, path string) reflect.Value {
	hidden := v
	switch kind := v.Elem().Kind(); {
	case kind == reflect.Slice || kind == reflect.Map && v.Elem().Type().Key().Kind() == reflect.String:
		hidden = hide(v.Elem(), path)
	case kind == reflect.Map || kind == reflect.Struct || kind == reflect.Pointer || kind == reflect.Array:
		hidden = blank(v)
	}
	c := reflect.New(v.Type()).Elem()
	c.Set(hidden)
	return c
}

func hideField(v reflect.Value, path string) reflect.Value {
	c := reflect.New(v.Type()).Elem()
	c.Set(v)
	name, rest, deeper := strings.Cut(path, ".")
	for i := range v.NumField() {
		switch f := c.Field(i); {
		case jsonName(v.Type().Field(i)) != name:
		case deeper:
			f.Set(hide(f, rest))
		default:
			f.Set(blank(f))
		}
	}
	return c
}

// hideKey tries every way to read the path: a key may have dots in it.
func hideKey(v reflect.Value, path string) reflect.Value {
	if v.IsNil() {
		return v
	}
	c := cloneMap(v)
	for end := range len(path) + 1 {
		if end < len(path) && path[end] != '.' {
			continue
		}
		key := reflect.ValueOf(path[:end]).Convert(v.Type().Key())
		switch value := c.MapIndex(key); {
		case !value.IsValid():
		case end == len(path):
			c.SetMapIndex(key, blank(value))
		default:
			c.SetMapIndex(key, hide(value, path[end+1:]))
		}
	}
	return c
}

func hideElement(v reflect.Value, path string) reflect.Value {
	index, rest, deeper := strings.Cut(path, ".")
	i, err := strconv.Atoi(index)
	if err != nil || i < 0 || i >= v.Len() {
		return v
	}
	c := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
	reflect.Copy(c, v)
	if deeper {
		c.Index(i).Set(hide(c.Index(i), rest))
	} else {
		c.Index(i).Set(blank(c.Index(i)))
	}
	return c
}

// blank returns v with all of it hidden. What is empty stays empty.
func blank(v reflect.Value) reflect.Value {
	c := reflect.New(v.Type()).Elem()
	switch {
	case v.IsZero():
	case v.Kind() == reflect.String:
		c.SetString(RedactedText)
	case v.Kind() == reflect.Interface:
		c.Set(reflect.ValueOf(RedactedText))
	case v.Kind() == reflect.Slice && v.Len() > 0:
		c.Set(reflect.MakeSlice(v.Type(), 1, 1))
		c.Index(0).Set(blank(v.Index(0)))
	case v.Kind() == reflect.Map:
		c = cloneMap(v)
		for _, key := range c.MapKeys() {
			c.SetMapIndex(key, blank(c.MapIndex(key)))
		}
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			c.Field(i).Set(blank(v.Field(i)))
		}
	}
	return c
}

func cloneMap(v reflect.Value) reflect.Value {
	c := reflect.MakeMapWithSize(v.Type(), v.Len())
	for entry := v.MapRange(); entry.Next(); {
		c.SetMapIndex(entry.Key(), entry.Value())
	}
	return c
}
