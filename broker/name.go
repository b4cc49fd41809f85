package broker

import (
	"fmt"
	"unicode/utf8"
)

const (
	// MaxNameBytes is the maximum length of a queue name.
	MaxNameBytes = 512
	// MaxMessageBytes is the default limit of a message body: 10 MiB.
	MaxMessageBytes = 10 << 20
)

// CheckName returns an error if name is not a valid queue name: it must have 1 to
// [MaxNameBytes] bytes of letters, digits, '_', '.' and '-', and start with a letter, a
// digit or '_'. The error wraps [ErrName].
func CheckName(name string) error {
	if name == "" {
		return fmt.Errorf("%w: it is empty", ErrName)
	}
	if len(name) > MaxNameBytes {
		return fmt.Errorf("%w: %d bytes are more than %d", ErrName, len(name), MaxNameBytes)
	}
	for i := range len(name) {
		c := name[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_':
		case (c == '.' || c == '-') && i > 0:
		default:
			return fmt.Errorf("%w %q: use letters, digits, '_', '.', '-', and begin with a letter, digit or '_'", ErrName, name)
		}
	}
	return nil
}

// CheckBody returns an error if body cannot be a message of at most limit bytes.
func CheckBody(body string, limit int) error {
	if len(body) > limit {
		return fmt.Errorf("%w: %d bytes are more than %d", ErrTooLarge, len(body), limit)
	}
	if !utf8.ValidString(body) {
		return ErrBody
	}
	return nil
}
