package taskspec

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// textRule is a rule for text. ok and keywords accept the same; patterns keep
// to what the regular expressions of every language have in common.
type textRule struct {
	ok       func(text string) bool
	says     func(text string) string // the problem with what is not ok
	keywords schema
}

func (t *textRule) check(c *checker, path string, value reflect.Value) {
	t.text(c, path, value.String())
}

// text checks a text and reports whether it is ok.
func (t *textRule) text(c *checker, path, text string) bool {
	ok := t.ok(text)
	if !ok {
		c.add(path, t.says(text))
	}
	return ok
}

func (t *textRule) describe(to *schema, f *field, _ Rules) {
	to.limit(t.keywords, f.missing == "" && !t.ok(""))
}

// always is a problem that does not depend on the text.
func always(problem string) func(string) string { return func(string) string { return problem } }

// unicodeRule accepts what JSON can carry. Text that came from JSON is that.
func unicodeRule() *textRule {
	return &textRule{ok: utf8.ValidString, says: always(notUTF8)}
}

// osRule accepts what an operating system takes in an argv, an environment or a
// path: any bytes but NUL.
func osRule() *textRule {
	return &textRule{ok: osText, says: always(notOSText), keywords: schema{Pattern: `^[^\x00]*$`}}
}

// lengthRule accepts from 1 to most characters.
func lengthRule(most int) *textRule {
	return &textRule{
		ok: func(text string) bool { return text != "" && utf8.RuneCountInString(text) <= most },
		says: func(text string) string {
			return fmt.Sprintf("has %d characters, at most %d are allowed", utf8.RuneCountInString(text), most)
		},
		keywords: schema{MinLength: new(1), MaxLength: &most},
	}
}

// printableRule refuses control characters.
func printableRule() *textRule {
	return &textRule{
		ok:       func(text string) bool { return !strings.ContainsFunc(text, unicode.IsControl) },
		says:     always("must not hold control characters"),
		keywords: schema{Pattern: `^[^\x00-\x1f\x7f-\x9f]*$`},
	}
}

// versionRule accepts two numbers with a dot between them.
func versionRule() *textRule {
	return &textRule{
		ok:       validVersion,
		says:     always(`must be two numbers with a dot, as in "1.0"`),
		keywords: schema{Pattern: `^[0-9]+\.[0-9]+$`},
	}
}

func validVersion(v string) bool {
	number := func(s string) bool {
		return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
	}
	major, minor, ok := strings.Cut(v, ".")
	return ok && number(major) && number(minor)
}

// tidRule accepts full task ids. That they fit 63 bits is beyond a pattern that
// anybody could read.
func tidRule() *textRule {
	return &textRule{
		ok:       validTID,
		says:     always("must be 19 digits that fit 63 bits"),
		keywords: schema{Pattern: `^[0-9]{19}$`},
	}
}

// variableRule accepts what an operating system takes for the name of a
// variable.
func variableRule() *textRule {
	return &textRule{
		ok: func(name string) bool {
			return name != "" && !strings.ContainsAny(name, "=\x00") && utf8.ValidString(name)
		},
		says:     always(`a variable's name must be valid UTF-8, not empty, without "=" and NUL characters`),
		keywords: schema{Pattern: `^[^=\x00]+$`},
	}
}

// oneOf accepts one of the texts.
func oneOf(texts []string) *textRule {
	return &textRule{
		ok:       func(text string) bool { return slices.Contains(texts, text) },
		says:     func(text string) string { return choice(texts).problem(text) },
		keywords: schema{Enum: texts},
	}
}

// filledPattern matches what is more than white space, as [unicode.IsSpace]
// says. The characters stand for themselves, for no two languages agree on the
// escapes.
const filledPattern = "[^\t\n\v\f\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"

// elements is the rule for a list of texts.
type elements struct{ of *textRule }

func (e elements) check(c *checker, path string, value reflect.Value) {
	for i, text := range value.Interface().([]string) {
		e.of.text(c, element(path, i), text)
	}
}

func (e elements) describe(to *schema, _ *field, _ Rules) {
	item := e.of.keywords
	item.Type = types{"string"}
	to.Items = &item
}

// members is the rule for an object of texts. Of the rules for a key, and of
// those for its value, the first that is broken counts.
type members struct{ keys, values []*textRule }

func (m members) check(c *checker, path string, value reflect.Value) {
	entries := value.Interface().(map[string]string)
	for _, key := range sortedKeys(entries) {
		at := child(path, key)
		first(c, m.keys, at, key)
		first(c, m.values, at, entries[key])
	}
}

// first reports the first rule that a text breaks.
func first(c *checker, rules []*textRule, path, text string) {
	for _, r := range rules {
		if !r.text(c, path, text) {
			return
		}
	}
}

func (m members) describe(to *schema, f *field, _ Rules) {
	to.PropertyNames = together(m.keys)
	value := together(m.values)
	value.Type = types{"string"}
	if f.raw {
		value.orRaw()
	}
	to.AdditionalProperties = value
}

// together is what all the rules say.
func together(rules []*textRule) *schema {
	s := new(schema)
	for _, r := range rules {
		s.merge(r.keywords)
	}
	return s
}
