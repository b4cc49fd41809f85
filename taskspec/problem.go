package taskspec

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Problem is one thing that is wrong with a spec.
type Problem struct {
	// Path leads to the field, as in "spec.limits.memory_mb", "spec.args[2]" or
	// `metadata["a b"]`. It is empty for a problem of the whole document.
	Path string
	// Text says what is wrong, without the path.
	Text string
}

// String returns "path: text".
func (p Problem) String() string {
	if p.Path == "" {
		return p.Text
	}
	return p.Path + ": " + p.Text
}

// ValidationError holds all that is wrong with a spec or a work item, in the
// order of the document or the format. After 100 problems it ends with a line
// that says so: the error of a hostile document must still fit a message.
type ValidationError struct {
	Problems []Problem
}

// Error returns the problems on one line, separated by "; ".
func (e *ValidationError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "; ")
}

// maxProblems bounds a report, maxShown what it quotes of one name or value.
const (
	maxProblems = 100
	maxShown    = 64
)

// report gathers problems. Its zero value is empty and ready.
type report struct {
	problems []Problem
}

func (r *report) add(path, text string) {
	switch {
	case len(r.problems) < maxProblems:
		r.problems = append(r.problems, Problem{path, text})
	case len(r.problems) == maxProblems:
		r.problems = append(r.problems, Problem{Text: "and more"})
	}
}

// full reports whether nothing more can be added.
func (r *report) full() bool { return len(r.problems) > maxProblems }

// err returns nil where nothing was added.
func (r *report) err() error {
	if len(r.problems) == 0 {
		return nil
	}
	return &ValidationError{Problems: r.problems}
}

// child returns the path of a named field or of a key in a map.
func child(path, key string) string {
	if !plain(key) {
		return path + "[" + quote(key) + "]"
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

// element returns the path of an element of a list.
func element(path string, i int) string {
	return path + "[" + strconv.Itoa(i) + "]"
}

// plain reports whether key can stand in a path without quotes.
func plain(key string) bool {
	odd := func(r rune) bool {
		return r != '_' && r != '-' && (r >= utf8.RuneSelf || !unicode.IsLetter(r) && !unicode.IsDigit(r))
	}
	return key != "" && len(key) <= maxShown && !strings.ContainsFunc(key, odd)
}

// quote returns a piece of the user's text for an error of one line.
func quote(s string) string {
	return `"` + visible(s, maxShown) + `"`
}

// visible returns the first limit characters of s with everything that a
// terminal would act on, or that is not text, spelled as a Go escape. Where
// something was cut off it ends in "…".
func visible(s string, limit int) string {
	var b strings.Builder
	for read := 0; s != "" && read <= limit; read++ {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1:
			b.WriteString(`\x` + strconv.FormatUint(uint64(s[0]), 16))
		case unicode.IsGraphic(r):
			b.WriteRune(r)
		default:
			escaped := strconv.QuoteRune(r)
			b.WriteString(escaped[1 : len(escaped)-1])
		}
		s = s[size:]
	}
	shown := []rune(b.String())
	if len(shown) > limit {
		return string(shown[:limit-1]) + "…"
	}
	return string(shown)
}
