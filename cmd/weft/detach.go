package main

import (
	"bytes"
	"fmt"
	"strings"
	"time"
)

// defaultDetach are the keys that leave a terminal. Ctrl-\ with a d right behind
// it means nothing in a shell, an editor or a multiplexer; alone it still is
// what it always was.
const defaultDetach = `ctrl-\,d`

// detachPause is how long it is waited for the next of the keys that detach,
// before those that came are passed on.
const detachPause = 500 * time.Millisecond

// A detacher looks for the keys that detach in what a person types. The zero
// value finds none.
type detacher struct {
	keys [][][]byte // in order, each in all forms in which a terminal may send it
	held []byte     // what came and may become the keys
}

// newDetacher reads keys such as "ctrl-p,ctrl-q" or "ctrl-],."; no text means no
// keys.
func newDetacher(text string) (*detacher, error) {
	d := new(detacher)
	if text == "" {
		return d, nil
	}
	for name := range strings.SplitSeq(text, ",") {
		forms, ok := keyForms(name)
		if !ok {
			return nil, usageError{fmt.Sprintf("--detach-keys: %q is no key: want characters and ctrl-X, separated by commas", name)}
		}
		d.keys = append(d.keys, forms)
	}
	return d, nil
}

// keyForms is what terminals send for a key: a control character may also come
// in the encodings that programs such as vim ask for.
func keyForms(name string) (forms [][]byte, ok bool) {
	char, ctrl := strings.CutPrefix(strings.ToLower(name), "ctrl-")
	switch {
	case !ctrl && len(name) == 1 && name[0] > ' ' && name[0] < 0x7f:
		return [][]byte{[]byte(name)}, true
	case ctrl && len(char) == 1 && strings.Contains("@abcdefghijklmnopqrstuvwxyz[\\]^_", char):
		return [][]byte{
			{char[0] & 0x1f},
			fmt.Appendf(nil, "\x1b[27;5;%d~", char[0]),
			fmt.Appendf(nil, "\x1b[%d;5u", char[0]),
		}, true
	}
	return nil, false
}

// take returns what is to be passed on of what was typed, and whether it ends
// with the keys that detach.
func (d *detacher) take(typed []byte) (pass []byte, detach bool) {
	typed = append(d.held, typed...)
	d.held = nil
	for len(typed) > 0 {
		switch n, all := d.match(typed); {
		case all:
			return pass, true
		case n == len(typed):
			d.held = typed
			return pass, false
		}
		pass, typed = append(pass, typed[0]), typed[1:]
	}
	return pass, false
}

// match returns the length of the keys that typed begins with, and whether they
// are all.
func (d *detacher) match(typed []byte) (n int, all bool) {
	for _, forms := range d.keys {
		length := 0
		for _, form := range forms {
			if bytes.HasPrefix(typed[n:], form) {
				length = len(form)
			}
		}
		if length == 0 {
			return n, false
		}
		n += length
	}
	return n, len(d.keys) > 0
}

// release gives up waiting for the rest of the keys.
func (d *detacher) release() (pass []byte) {
	pass, d.held = d.held, nil
	return pass
}
