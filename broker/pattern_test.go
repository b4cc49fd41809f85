package broker_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

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

// FuzzGlob compares Match with a matcher that walks over pattern and name.
func FuzzGlob(f *testing.F) {
	for _, seed := range [][2]string{
		{"", ""}, {"jobs.*", "jobs.a"}, {"*.inbox", "T1.inbox"}, {"a?c", "abc"}, {"[a-c]*[!x]", "bx"}, {"[]a]", "]"},
		{"[!]-]", "-"}, {"a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaa"}, {"**", "a"}, {"[", "["}, {"ü?", "üü"}, {"[ä-ü]", "ö"},
		{"a\n*", "a\n\n"}, {strings.Repeat("*a", 50), strings.Repeat("a", 300)}, {"[^^]", "^"}, {"[b-a]", "b"}, {`[\d]`, "d"}, {"[[:alpha:]]", "a]"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if len(pattern) > 1000 || len(name) > broker.MaxNameBytes || !utf8.ValidString(pattern) || !utf8.ValidString(name) {
			return // regular expressions may be longer to compile than to run; no name has other bytes
		}
		elements, good := parse([]rune(pattern))
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
		if want := matches(elements, []rune(name)); got != want {
			t.Errorf("%q matches %q: %v, want %v", pattern, name, got, want)
		}
		if got && !strings.HasPrefix(name, p.Literal()) {
			t.Errorf("%q matches %q, which does not begin with %q", pattern, name, p.Literal())
		}
	})
}

// An element of a pattern accepts one character, or, if it is nil, any number of any
// characters.
type element func(rune) bool

// parse reads a pattern. good is false if it is none.
func parse(pattern []rune) (elements []element, good bool) {
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; c {
		case '*':
			elements = append(elements, nil)
		case '?':
			elements = append(elements, func(rune) bool { return true })
		case '[':
			var ranges [][2]rune
			i++
			negated := i < len(pattern) && (pattern[i] == '!' || pattern[i] == '^')
			if negated {
				i++
			}
			for first := i; ; i++ {
				if i >= len(pattern) {
					return nil, false
				}
				lo := pattern[i]
				if lo == ']' && i > first {
					break
				}
				hi := lo
				if i+2 < len(pattern) && pattern[i+1] == '-' && pattern[i+2] != ']' {
					hi = pattern[i+2]
					i += 2
				}
				if lo > hi {
					return nil, false
				}
				ranges = append(ranges, [2]rune{lo, hi})
			}
			elements = append(elements, func(r rune) bool {
				in := func(lohi [2]rune) bool { return lohi[0] <= r && r <= lohi[1] }
				return slices.ContainsFunc(ranges, in) != negated
			})
		default:
			elements = append(elements, func(r rune) bool { return r == c })
		}
	}
	return elements, true
}

// matches reports whether the elements match all of text. After a mismatch it extends the
// last star by one character; an earlier star never needs that.
func matches(elements []element, text []rune) bool {
	i, starred, resume := 0, -1, 0
	for t := 0; t < len(text); {
		switch {
		case i < len(elements) && elements[i] == nil:
			starred, resume = i, t
			i++
		case i < len(elements) && elements[i](text[t]):
			i++
			t++
		case starred >= 0:
			resume++
			i, t = starred+1, resume
		default:
			return false
		}
	}
	for i < len(elements) && elements[i] == nil {
		i++
	}
	return i == len(elements)
}
