package broker_test

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"weft/broker"
	"weft/internal/waittest"
)

func TestGlob(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		pattern   string
		literal   string
		yes, no   string // separated by spaces
		yesSpaced []string
	}{
		{"", "", "", "a", []string{""}},
		{"jobs", "jobs", "jobs", "job jobs. Jobs jobs1 xjobs", nil},
		{"*", "", "a a.b T1.inbox", "", []string{""}},
		{"**", "", "a a.b", "", []string{""}},
		{"jobs.*", "jobs.", "jobs. jobs.a jobs.a.b", "jobs jobsa xjobs.a", nil},
		{"*.inbox", "", "a.inbox .inbox a.inbox.inbox", "inbox a.inboxes", nil},
		{"a*b*c", "a", "abc aXbYc abcbc abbcc", "ab acb abcd", nil},
		{"T*.ctrl_in", "T", "T1.ctrl_in T.ctrl_in", "T1.ctrl_out t1.ctrl_in", nil},
		{"?", "", "a . _", "ab", nil},
		{"a?c", "a", "abc a.c", "ac abbc", nil},
		{"?*", "", "a ab", "", nil},
		{"[abc]", "", "a b c", "d ab", nil},
		{"[a-c0-2]x", "", "ax cx 1x", "dx 3x", nil},
		{"[!a-c]", "", "d A", "a b c", nil},
		{"[^a-c]", "", "d A ^", "a b c", nil},
		{"[a^]", "", "a ^", "b", nil},
		{"[a!]", "", "a !", "b", nil},
		{"[]a]", "", "] a", "b", nil},
		{"[!]a]", "", "b", "] a", nil},
		{"[-a]", "", "- a", "b", nil},
		{"[a-]", "", "- a", "b", nil},
		{"[--0]", "", "- . / 0", "1", nil},
		{"[]-a]", "", "] ^ _ a", "b", nil},
		{"[*?]", "", "* ?", "a", nil},
		{"a[*]", "a", "a*", "ab", nil},
		{"x]", "x]", "x]", "x", nil},
		{`\*`, `\`, `\ \a`, "*", nil},
		{"ü*", "ü", "ü üb", "u Ã¼", nil},
	} {
		p, err := broker.Glob(tt.pattern)
		if err != nil {
			t.Errorf("Glob(%q): %v", tt.pattern, err)
			continue
		}
		if p.Literal() != tt.literal {
			t.Errorf("Glob(%q) has literal %q, want %q", tt.pattern, p.Literal(), tt.literal)
		}
		for _, name := range append(strings.Fields(tt.yes), tt.yesSpaced...) {
			if !p.Match(name) {
				t.Errorf("%q does not match %q", tt.pattern, name)
			}
		}
		for name := range strings.FieldsSeq(tt.no) {
			if p.Match(name) {
				t.Errorf("%q matches %q", tt.pattern, name)
			}
		}
	}
	for _, bad := range []string{"[", "[]", "[!]", "[^]", "a[b", "a[]", "[a-", "[b-a]", "[a", "*[", "[]-A]"} {
		if _, err := broker.Glob(bad); !errors.Is(err, broker.ErrPattern) {
			t.Errorf("Glob(%q): error %v, want %v", bad, err, broker.ErrPattern)
		}
	}
}

func TestPrefix(t *testing.T) {
	t.Parallel()
	p := broker.Prefix("a*")
	if !p.Match("a*") || !p.Match("a*b") || p.Match("ab") || p.Literal() != "a*" {
		t.Errorf("a prefix is not taken by the letter")
	}
	if zero := (broker.Pattern{}); !zero.Match("") || !zero.Match("x") || zero.Literal() != "" {
		t.Errorf("the zero pattern does not match every name")
	}
}

// TestExcept leaves the pattern alone that it is made from.
func TestExcept(t *testing.T) {
	t.Parallel()
	is := func(name string) func(string) bool { return func(queue string) bool { return queue == name } }
	all := broker.Prefix("q")
	one := all.Except(is("q1"))
	two, other := one.Except(is("q2")), one.Except(is("q3"))
	for _, tt := range []struct {
		pattern broker.Pattern
		want    string
	}{
		{all, "q1 q2 q3"}, {one, "q2 q3"}, {two, "q3"}, {other, "q2"},
	} {
		var matched []string
		for _, name := range []string{"q1", "q2", "q3", "x"} {
			if tt.pattern.Match(name) {
				matched = append(matched, name)
			}
		}
		if got := strings.Join(matched, " "); got != tt.want {
			t.Errorf("matched %q, want %q", got, tt.want)
		}
	}
}

// FuzzGlob compares Match with a regular expression that means the same, whose
// time grows only with the length of pattern and name.
func FuzzGlob(f *testing.F) {
	for _, seed := range [][2]string{
		{"", ""}, {"jobs.*", "jobs.a"}, {"*.inbox", "T1.inbox"}, {"a?c", "abc"}, {"[a-c]*[!x]", "bx"}, {"[]a]", "]"},
		{"[!]-]", "-"}, {"a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaa"}, {"**", "a"}, {"[", "["}, {"ü?", "ü"}, {"\xff*", "\xff\xfe"},
		{"[a-\xff]", "\x80"}, {"a\n*", "a\n\n"}, {strings.Repeat("*a", 50), strings.Repeat("a", 300)}, {"[^^]", "^"}, {"[b-a]", "b"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if len(pattern) > 1000 || len(name) > broker.MaxNameBytes {
			return // regular expressions may be longer to compile than to run
		}
		expr, good := translate(pattern)
		began := time.Now()
		p, err := broker.Glob(pattern)
		if good != (err == nil) {
			t.Fatalf("Glob(%q) = %v", pattern, err)
		}
		if err != nil {
			if !errors.Is(err, broker.ErrPattern) {
				t.Errorf("Glob(%q) = %v, which is not an ErrPattern", pattern, err)
			}
			return
		}
		got := p.Match(name)
		if took := time.Since(began); took > waittest.Limit() {
			t.Errorf("matching %q took %v: it is never over", pattern, took)
		}
		if want := expr.MatchString(points(name)); got != want {
			t.Errorf("%q matches %q: %v, want %v", pattern, name, got, want)
		}
		if got && !strings.HasPrefix(name, p.Literal()) {
			t.Errorf("%q matches %q, which does not begin with %q", pattern, name, p.Literal())
		}
	})
}

// translate writes a glob as a regular expression over points.
func translate(glob string) (*regexp.Regexp, bool) {
	var expr strings.Builder
	expr.WriteString(`(?s)\A`)
	for rest := glob; rest != ""; {
		size := 1
		switch rest[0] {
		case '*':
			expr.WriteString(".*")
		case '?':
			expr.WriteString(".")
		case '[':
			class, n := brackets(rest)
			if n == 0 {
				return nil, false
			}
			expr.WriteString(class)
			size = n
		default:
			expr.WriteString(point(rest[0]))
		}
		rest = rest[size:]
	}
	re, err := regexp.Compile(expr.String() + `\z`)
	return re, err == nil
}

// brackets writes the class that a glob begins with, of which it takes n bytes,
// as a regular expression; 0 if it is none.
func brackets(glob string) (class string, n int) {
	set := glob[1:]
	class = "["
	if strings.HasPrefix(set, "!") || strings.HasPrefix(set, "^") {
		class, set = "[^", set[1:]
	}
	if set == "" {
		return "", 0
	}
	end := 1 + strings.IndexByte(set[1:], ']') // the first ] is not the end
	if end == 0 {
		return "", 0
	}
	n = len(glob) - len(set) + end + 1
	for set = set[:end]; set != ""; {
		lo, hi, size := set[0], set[0], 1
		if len(set) > 2 && set[1] == '-' {
			hi, size = set[2], 3
		}
		if lo > hi {
			return "", 0
		}
		class += point(lo) + "-" + point(hi)
		set = set[size:]
	}
	return class + "]", n
}

// point is a byte in a regular expression.
func point(b byte) string { return fmt.Sprintf(`\x{%x}`, b) }

// points makes a character of each byte, because globs are about bytes and
// regular expressions about characters.
func points(text string) string {
	r := make([]rune, len(text))
	for i := range len(text) {
		r[i] = rune(text[i])
	}
	return string(r)
}
