package function

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// check says what is wrong with a value that the schema does not accept. path
// leads to the value.
func check(s *schema, v any, path string) (problems []string) {
	say := func(path, format string, args ...any) {
		problems = append(problems, quoted(path)+": "+fmt.Sprintf(format, args...))
	}
	if kind := kindOf(v); len(s.Types) > 0 && !slices.Contains(s.Types, kind) && !(kind == "integer" && slices.Contains(s.Types, "number")) {
		say(path, "got %s, want %s", kindOf(v), wanted(s))
		return problems
	}
	switch v := v.(type) {
	case float64:
		if s.Minimum != nil && v < *s.Minimum {
			say(path, "must be at least %s", number(*s.Minimum))
		}
		if s.Maximum != nil && v > *s.Maximum {
			say(path, "must be at most %s", number(*s.Maximum))
		}
	case []any:
		if s.MinItems != nil && len(v) < *s.MinItems || s.MaxItems != nil && len(v) > *s.MaxItems {
			say(path, "has %d elements, which is too few or too many", len(v))
		}
		for i, elem := range v {
			if s.Items != nil {
				problems = append(problems, check(s.Items, elem, path+"["+strconv.Itoa(i)+"]")...)
			}
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			switch property := s.Properties.get(name); {
			case property != nil:
				problems = append(problems, check(property, v[name], below(path, name))...)
			case s.Others != nil && s.Others.never:
				say(below(path, name), "unknown argument%s", choices(s))
			case s.Others != nil:
				problems = append(problems, check(s.Others, v[name], below(path, name))...)
			}
		}
		for _, name := range s.Required {
			if _, there := v[name]; !there {
				say(below(path, name), "missing")
			}
		}
	}
	return problems
}

// choices names the arguments that there are.
func choices(s *schema) string {
	names := s.Properties.names()
	if len(names) == 0 {
		return "; it takes none"
	}
	return "; there are " + strings.Join(names, ", ")
}

// wanted names what a schema accepts.
func wanted(s *schema) string {
	kinds := slices.DeleteFunc(slices.Clone(s.Types), func(kind string) bool { return kind == "null" })
	return strings.Join(kinds, " or ")
}

// kindOf is the JSON type of a decoded value.
func kindOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case []any:
		return "array"
	case map[string]any:
		return "object"
	case float64:
		if v == math.Trunc(v) {
			return "integer"
		}
	}
	return "number"
}

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// quoted names the argument at path.
func quoted(path string) string {
	if path == "" {
		return "argument"
	}
	return strconv.Quote(path)
}

// below is the path to a member of the object at path.
func below(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
