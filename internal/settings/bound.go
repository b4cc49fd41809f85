package settings

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"weft/internal/literal"
)

// never is the text of a bound that there is none, whose value is negative.
const never = "never"

// A Span bounds an age: a duration as [literal.Duration] reads it, or "never".
type Span time.Duration

// A Count bounds how many there may be: a whole number from 1 on, or "never".
type Count int

// A Size bounds a number of bytes: see [literal.Size]; or "never".
type Size int64

func (s *Span) parse(text string) error { return parseBound(s, text, literal.Duration) }

func (c *Count) parse(text string) error { return parseBound(c, text, strconv.Atoi) }

func (s *Size) parse(text string) error {
	return parseBound(s, text, func(text string) (int64, error) { return literal.Size(text, 1) })
}

// UnmarshalJSON reads a number of seconds, or a text.
func (s *Span) UnmarshalJSON(data []byte) error { return s.parse(strings.Trim(string(data), `"`)) }

// UnmarshalJSON reads a number, or a text.
func (c *Count) UnmarshalJSON(data []byte) error { return c.parse(strings.Trim(string(data), `"`)) }

// UnmarshalJSON reads a number of bytes, or a text.
func (s *Size) UnmarshalJSON(data []byte) error { return s.parse(strings.Trim(string(data), `"`)) }

// parseBound reads a bound, which must be more than 0, or "never".
func parseBound[B ~int | ~int64, V int | int64 | time.Duration](bound *B, text string, read func(string) (V, error)) error {
	if strings.EqualFold(text, never) {
		*bound = -1
		return nil
	}
	value, err := read(text)
	if err != nil || value <= 0 {
		return fmt.Errorf("%q: want %s, or never", text, wanted(bound))
	}
	*bound = B(value)
	return nil
}

// wanted says what a bound may be.
func wanted(bound any) string {
	switch bound.(type) {
	case *Span:
		return "a duration (12h, 7d)"
	case *Size:
		return "a size (500MB, 10GB)"
	}
	return "a whole number from 1 on"
}
