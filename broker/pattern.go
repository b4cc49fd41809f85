package broker

import (
	"errors"
	"fmt"
	"strings"
)

// A Pattern selects queues by their names. The zero value matches every name.
type Pattern struct {
	prefix string // of every name that matches
	rest   []element
	exact  bool // rest must match all that follows the prefix; else anything may follow
	except func(queue string) bool
}

// An element of a pattern matches one byte of its set, or, with a nil set, any number of
// any bytes.
type element *[256]bool

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
	p := Pattern{prefix: text[:literal], exact: true}
	for rest := text[literal:]; rest != ""; {
		var e element
		size := 1
		switch rest[0] {
		case '*':
		case '?':
			e = everyByte()
		case '[':
			var err error
			if e, size, err = parseClass(rest); err != nil {
				return Pattern{}, fmt.Errorf("%w %q: %w", ErrPattern, text, err)
			}
		default:
			e = new([256]bool)
			e[rest[0]] = true
		}
		p.rest = append(p.rest, e)
		rest = rest[size:]
	}
	return p, nil
}

func everyByte() element {
	e := new([256]bool)
	for c := range e {
		e[c] = true
	}
	return e
}

// parseClass parses the brackets at the start of text, and returns their length in bytes.
func parseClass(text string) (e element, size int, err error) {
	i := 1
	negated := i < len(text) && (text[i] == '!' || text[i] == '^')
	if negated {
		i++
	}
	e = new([256]bool)
	for first := i; ; i++ {
		if i >= len(text) {
			return nil, 0, errors.New("[ without ]")
		}
		lo := text[i]
		if lo == ']' && i > first {
			break
		}
		hi := lo
		if i+2 < len(text) && text[i+1] == '-' && text[i+2] != ']' {
			hi = text[i+2]
			i += 2
		}
		if lo > hi {
			return nil, 0, fmt.Errorf("range %c-%c runs backwards", lo, hi)
		}
		for c := int(lo); c <= int(hi); c++ {
			e[c] = true
		}
	}
	if negated {
		for c := range e {
			e[c] = !e[c]
		}
	}
	return e, i + 1, nil
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
	return ok && (!p.exact || matchAll(p.rest, rest)) && (p.except == nil || !p.except(queue))
}

// matchAll reports whether the elements match all of text. After a mismatch it extends the
// last star by one byte; an earlier star never needs that.
func matchAll(elements []element, text string) bool {
	i, starred, resume := 0, -1, 0
	for t := 0; t < len(text); {
		switch {
		case i < len(elements) && elements[i] == nil:
			starred, resume = i, t
			i++
		case i < len(elements) && elements[i][text[t]]:
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
