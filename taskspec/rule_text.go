package taskspec

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"weft/internal/schema"
)

// textRule is a rule for text. problem and keywords accept the same; patterns keep
// to what the regular expressions of every language have in common.
type textRule struct {
	problem  func(text string) string // what is wrong with it, or nothing
	keywords schema.Schema
}

func (t *textRule) check(c *checker, path string, value reflect.Value) {
	first(c, []*textRule{t}, path, value.String())
}

func (t *textRule) describe(to *schema.Schema, f *field, _ Rules) {
	if f.missing == "" && t.problem("") != "" {
		// The text may be empty; an editor does not offer that.
		to.AnyOf = []*schema.Schema{&t.keywords, {MaxLength: new(0)}}
		return
	}
	to.Merge(t.keywords)
}

// first reports the first rule that a text breaks.
func first(c *checker, rules []*textRule, path, text string) {
	for _, r := range rules {
		if problem := r.problem(text); problem != "" {
			c.add(path, problem)
			return
		}
	}
}

// unless returns says for a text that is not ok.
func unless(ok func(text string) bool, says string) func(string) string {
	return func(text string) string {
		if ok(text) {
			return ""
		}
		return says
	}
}

// unicodeRule accepts what JSON can carry. Text that came from JSON is that.
func unicodeRule() *textRule { return &textRule{problem: unless(utf8.ValidString, notUTF8)} }

// osRule accepts what an operating system takes in an argv, an environment or a
// path: any bytes but NUL.
func osRule() *textRule {
	return &textRule{unless(osText, notOSText), schema.Schema{Pattern: `^[^\x00]*$`}}
}

// lengthRule accepts from 1 to most characters.
func lengthRule(most int) *textRule {
	problem := func(text string) string {
		if n := utf8.RuneCountInString(text); n < 1 || n > most {
			return fmt.Sprintf("has %d characters, at most %d are allowed", n, most)
		}
		return ""
	}
	return &textRule{problem, schema.Schema{MinLength: new(1), MaxLength: &most}}
}

// printableRule refuses control characters.
func printableRule() *textRule {
	ok := func(text string) bool { return !strings.ContainsFunc(text, unicode.IsControl) }
	return &textRule{unless(ok, "must not hold control characters"), schema.Schema{Pattern: `^[^\x00-\x1f\x7f-\x9f]*$`}}
}

// versionRule accepts two numbers with a dot between them.
func versionRule() *textRule {
	const pattern = `^[0-9]+\.[0-9]+$`
	return &textRule{unless(matches(pattern), `must be two numbers with a dot, as in "1.0"`), schema.Schema{Pattern: pattern}}
}

// matches reports whether a text matches a pattern, which is compiled for the first one.
func matches(pattern string) func(text string) bool {
	compiled := sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
	return func(text string) bool { return compiled().MatchString(text) }
}

// tidRule accepts full task ids. That they fit 63 bits is beyond a pattern that
// anybody could read.
func tidRule() *textRule {
	return &textRule{unless(validTID, "must be 19 digits that fit 63 bits"), schema.Schema{Pattern: `^[0-9]{19}$`}}
}

// variableRule accepts what an operating system takes for the name of a
// variable.
func variableRule() *textRule {
	ok := func(name string) bool {
		return name != "" && !strings.ContainsAny(name, "=\x00") && utf8.ValidString(name)
	}
	return &textRule{
		unless(ok, `a variable's name must be valid UTF-8, not empty, without "=" and NUL characters`),
		schema.Schema{Pattern: `^[^=\x00]+$`},
	}
}

// oneOf accepts one of the texts.
func oneOf[T ~string](texts ...T) *textRule {
	all := convert[T, string](texts)
	problem := func(text string) string {
		if slices.Contains(all, text) {
			return ""
		}
		return fmt.Sprintf(`must be "%s", not %s`, strings.Join(all, `" or "`), quote(text))
	}
	return &textRule{problem, schema.Schema{Enum: all}}
}

// filledPattern matches what is more than white space, as [unicode.IsSpace]
// says. The characters stand for themselves, for no two languages agree on the
// escapes.
const filledPattern = "[^\t\n\v\f\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"

// elements is the rule for a list of texts.
type elements struct{ of *textRule }

func (e elements) check(c *checker, path string, value reflect.Value) {
	for i, text := range value.Interface().([]string) {
		first(c, []*textRule{e.of}, element(path, i), text)
	}
}

func (e elements) describe(to *schema.Schema, _ *field, _ Rules) {
	item := e.of.keywords
	item.Type = schema.Types{"string"}
	to.Items = &item
}

// members is the rule for an object of texts. Of the rules for a key, and of
// those for its value, the first that is broken counts.
type members struct{ keys, values []*textRule }

// environment is the rule for variables.
func environment() members {
	return members{keys: []*textRule{variableRule()}, values: []*textRule{osRule()}}
}

func (m members) check(c *checker, path string, value reflect.Value) {
	entries := value.Interface().(map[string]string)
	for _, key := range sortedKeys(entries) {
		at := child(path, key)
		first(c, m.keys, at, key)
		first(c, m.values, at, entries[key])
	}
}

func (m members) describe(to *schema.Schema, f *field, _ Rules) {
	keys, value := new(schema.Schema), &schema.Schema{Type: schema.Types{"string"}}
	for _, r := range m.keys {
		keys.Merge(r.keywords)
	}
	for _, r := range m.values {
		value.Merge(r.keywords)
	}
	if f.raw {
		orRaw(value)
	}
	to.PropertyNames, to.AdditionalProperties = keys, value
}
