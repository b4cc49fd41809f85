package broker

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
)

// A Pattern selects queues by their names. The zero value matches every name.
type Pattern struct {
	prefix string         // of every name that matches
	rest   *regexp.Regexp // matches all that follows the prefix; nil: anything may follow
	except func(queue string) bool
}

// Prefix returns the pattern of the names with the prefix text.
func Prefix(text string) Pattern { return Pattern{prefix: text} }

// Glob parses a pattern for whole names; case matters:
//
//	?        one character
//	*        any number of characters, also none
//	[ab0-9]  one of these, or of a range
//	[!ab]    one that is none of these; [^ab] too
//
// All other characters match themselves, as do a ] that comes first in brackets and a -
// that comes first or last. The error wraps [ErrPattern].
func Glob(text string) (Pattern, error) {
	literal := len(text)
	if i := strings.IndexAny(text, "*?["); i >= 0 {
		literal = i
	}
	expr, err := expression(text[literal:])
	if err != nil {
		return Pattern{}, fmt.Errorf("%w %q: %w", ErrPattern, text, err)
	}
	rest, err := regexp.Compile(expr)
	if e, ok := errors.AsType[*syntax.Error](err); ok {
		if e.Code == syntax.ErrInvalidCharRange {
			return Pattern{}, fmt.Errorf("%w %q: range %s runs backwards", ErrPattern, text, e.Expr)
		}
		return Pattern{}, fmt.Errorf("%w %q: %v", ErrPattern, text, e.Code)
	}
	return Pattern{prefix: text[:literal], rest: rest}, err
}

// expression returns the regular expression for a pattern.
func expression(pattern string) (string, error) {
	inClass := strings.NewReplacer(`\`, `\\`, `[`, `\[`, `]`, `\]`, `^`, `\^`)
	var expr strings.Builder
	expr.WriteString(`(?s)\A`)
	for rest := pattern; rest != ""; {
		size := 1
		switch rest[0] {
		case '*':
			expr.WriteString(".*")
		case '?':
			expr.WriteString(".")
		case '[':
			expr.WriteByte('[')
			if strings.HasPrefix(rest[1:], "!") || strings.HasPrefix(rest[1:], "^") {
				expr.WriteByte('^')
				size++
			}
			end := strings.IndexByte(rest[min(size+1, len(rest)):], ']') // the first character may be one too
			if end < 0 {
				return "", errors.New("[ without ]")
			}
			expr.WriteString(inClass.Replace(rest[size:size+1+end]) + "]")
			size += end + 2
		default:
			if size = strings.IndexAny(rest, "*?["); size < 0 {
				size = len(rest)
			}
			expr.WriteString(regexp.QuoteMeta(rest[:size]))
		}
		rest = rest[size:]
	}
	return expr.String() + `\z`, nil
}

// Literal returns the common prefix of all names that p matches.
func (p Pattern) Literal() string { return p.prefix }

// Except returns p without the queues for which except returns true.
func (p Pattern) Except(except func(queue string) bool) Pattern {
	if before := p.except; before != nil {
		p.except = func(queue string) bool { return before(queue) || except(queue) }
	} else {
		p.except = except
	}
	return p
}

// Match reports whether p matches the name of a queue.
func (p Pattern) Match(queue string) bool {
	rest, ok := strings.CutPrefix(queue, p.prefix)
	return ok && (p.rest == nil || p.rest.MatchString(rest)) && (p.except == nil || !p.except(queue))
}
