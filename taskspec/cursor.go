package taskspec

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
)

// cursor walks over one JSON value. The text must be valid JSON, as json.Valid
// says, which is why nothing here can fail or run past the end.
type cursor struct {
	text string
	pos  int
}

// peek moves to the next character that is not space and returns it. Called
// only where valid JSON has such a character.
func (c *cursor) peek() byte {
	for {
		switch b := c.text[c.pos]; b {
		case ' ', '\t', '\r', '\n':
			c.pos++
		default:
			return b
		}
	}
}

// more reports whether the list or object that ends with the closing character
// has another member, and moves behind the comma before it or, where there is
// none, behind the closing character.
func (c *cursor) more(closing byte) bool {
	switch c.peek() {
	case closing:
		c.pos++
		return false
	case ',':
		c.pos++
	}
	return true
}

// key reads the key of a member and moves to its value. raw is the key as it is
// written, with its quotes.
func (c *cursor) key() (raw string) {
	c.peek()
	raw = c.literal()
	c.peek()
	c.pos++ // the colon
	return raw
}

// literal reads the string that begins here and returns it as it is written.
func (c *cursor) literal() string {
	start := c.pos
	for c.pos++; c.text[c.pos] != '"'; c.pos++ {
		if c.text[c.pos] == '\\' {
			c.pos++
		}
	}
	c.pos++
	return c.text[start:c.pos]
}

// isNumber reports whether a value that begins with b is a number.
func isNumber(b byte) bool { return b == '-' || '0' <= b && b <= '9' }

// word reads the number or name (true, false, null) that begins here.
func (c *cursor) word() string {
	rest := c.text[c.pos:]
	if end := strings.IndexAny(rest, ",]} \t\r\n"); end >= 0 {
		rest = rest[:end]
	}
	c.pos += len(rest)
	return rest
}

// skip reads any value and returns it as it is written. It does not recurse, so
// depth costs it nothing.
func (c *cursor) skip() string {
	c.peek()
	start := c.pos
	for depth := 0; ; {
		switch c.peek() {
		case '{', '[':
			depth++
			c.pos++
		case '}', ']':
			depth--
			c.pos++
		case ',', ':':
			c.pos++
		case '"':
			c.literal()
		default:
			c.word()
		}
		if depth == 0 {
			return c.text[start:c.pos]
		}
	}
}

// unquote returns the text that a string literal stands for.
func unquote(literal string) string {
	if !strings.Contains(literal, `\`) {
		return literal[1 : len(literal)-1]
	}
	var text string
	// The literal is part of valid JSON, so there is no error to have.
	_ = json.Unmarshal([]byte(literal), &text)
	return text
}

// halfPair is the text of the problem that [loneSurrogate] finds.
const halfPair = "holds half of a UTF-16 pair, which is no text"

// loneSurrogate reports whether a string literal holds half of a UTF-16 pair.
// Decoding would replace it silently, and it is not rare: Python spells the
// bytes of a file name that is not UTF-8 so.
func loneSurrogate(literal string) bool {
	for {
		i := strings.IndexByte(literal, '\\')
		if i < 0 {
			return false
		}
		high, ok := escapedUnit(literal[i:])
		if !ok || !utf16.IsSurrogate(high) {
			literal = literal[i+2:]
			continue
		}
		low, ok := escapedUnit(literal[i+6:])
		if !ok || utf16.DecodeRune(high, low) == unicode.ReplacementChar {
			return true
		}
		literal = literal[i+12:]
	}
}

// escapedUnit reads the \uXXXX that s begins with, if it does.
func escapedUnit(s string) (rune, bool) {
	if !strings.HasPrefix(s, `\u`) {
		return 0, false
	}
	unit, err := strconv.ParseUint(s[2:6], 16, 16)
	return rune(unit), err == nil
}
