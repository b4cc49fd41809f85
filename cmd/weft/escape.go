package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// rawOption is the option that prints text from messages and tasks unchanged.
type rawOption struct {
	Raw bool `help:"Let the terminal act on control characters, which are shown as escapes otherwise; a pipe gets them anyway."`
}

// shown is where text from messages and tasks is written: what a message holds, or what
// a task that ran elsewhere has printed. A terminal shows what it would act on; a
// pipe or a file gets every byte.
func (a *app) shown(raw bool) io.Writer {
	switch {
	case !a.stdout.terminal, raw && !a.JSON:
		return a.stdout
	case a.JSON:
		return a.stdout.through(&escaper{spell: escapeJSON})
	}
	return a.stdout.through(&escaper{spell: escape, ends: true})
}

// shownText is text from messages and tasks as it is written to standard error.
func (a *app) shownText(text []byte, raw bool) string {
	if raw || !isTerminal(a.stderr) {
		return string(text)
	}
	return spelled(text, escape)
}

// shownJSON is JSON as it is written to standard output.
func (a *app) shownJSON(line []byte) string {
	if !a.stdout.terminal {
		return string(line)
	}
	return spelled(line, escapeJSON)
}

// spelled is the whole of a text as it is shown.
func spelled(text []byte, spell spelling) string {
	var b strings.Builder
	e := escaper{to: &b, spell: spell}
	_, _ = e.Write(text) // a builder takes all
	_ = e.end()
	return b.String()
}

// A spelling is how to write a character that a terminal acts on; of what is no
// text there is a byte. It is empty for all other characters.
type spelling func(r rune, b byte) string

// escape spells what a terminal acts on but the end of a line and a tab: control
// characters, what turns the direction of writing, and bytes that are no text.
func escape(r rune, b byte) string {
	switch {
	case r == utf8.RuneError && b >= utf8.RuneSelf:
		return fmt.Sprintf(`\x%02x`, b)
	case r == '\n' || r == '\t' || !acts(r):
		return ""
	}
	quoted := strconv.QuoteRuneToASCII(r)
	return quoted[1 : len(quoted)-1]
}

// escapeJSON is escape for JSON, which stays the same value.
func escapeJSON(r rune, _ byte) string {
	if r == '\n' || r == '\t' || !acts(r) {
		return ""
	}
	return fmt.Sprintf(`\u%04x`, r)
}

// acts reports whether a terminal acts on a character.
func acts(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }

// passed spells nothing: only the ends of lines become those of this terminal.
func passed(rune, byte) string { return "" }

// An escaper writes text to a terminal that puts a carriage return before each
// end of a line itself: one that is there already is left out.
type escaper struct {
	to    io.Writer
	spell spelling
	ends  bool   // the last line is to have an end
	held  []byte // a carriage return, or the beginning of a character
	last  byte   // that was written
}

// Write writes p, but for an end of which the rest decides what it is.
func (e *escaper) Write(p []byte) (int, error) {
	text := append(e.held, p...)
	out := make([]byte, 0, len(text)+len(text)/8)
	for len(text) > 0 && utf8.FullRune(text) && string(text) != "\r" {
		if text[0] == '\r' && text[1] == '\n' {
			text = text[1:]
		}
		r, size := utf8.DecodeRune(text)
		b := byte(0)
		if r == utf8.RuneError && size == 1 {
			b = text[0]
		}
		if spelled := e.spell(r, b); spelled != "" {
			out = append(out, spelled...)
		} else {
			out = append(out, text[:size]...)
		}
		text = text[size:]
	}
	e.held = append([]byte(nil), text...)
	if err := e.write(out); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (e *escaper) write(out []byte) error {
	if len(out) == 0 {
		return nil
	}
	e.last = out[len(out)-1]
	_, err := e.to.Write(out)
	return err
}

// end writes what is held, because nothing follows.
func (e *escaper) end() error {
	var out []byte
	for _, b := range e.held {
		r := rune(b)
		if b >= utf8.RuneSelf {
			r = utf8.RuneError
		}
		if spelled := e.spell(r, b); spelled != "" {
			out = append(out, spelled...)
		} else {
			out = append(out, b)
		}
	}
	e.held = nil
	if err := e.write(out); err != nil {
		return err
	}
	if e.ends && e.last != 0 && e.last != '\n' {
		return e.write([]byte("\n"))
	}
	return nil
}

// readable returns text with what is not UTF-8 spelled as an escape. JSON is for it,
// and would lose it.
func readable(text string) string {
	var b strings.Builder
	for i, r := range text {
		if _, size := utf8.DecodeRuneInString(text[i:]); r == utf8.RuneError && size == 1 {
			fmt.Fprintf(&b, `\x%02x`, text[i])
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// visible returns text with everything that a terminal would act on, or that
// is not text, spelled as an escape: one line that shows what is there.
func visible(text string) string {
	quoted := strconv.QuoteToGraphic(text)
	return asWritten.Replace(quoted[1 : len(quoted)-1])
}

// asWritten takes back what only a quoted text needs.
var asWritten = strings.NewReplacer(`\\`, `\`, `\"`, `"`)
