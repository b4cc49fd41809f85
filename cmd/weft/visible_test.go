package main

import (
	"testing"
	"time"
)

func TestVisible(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                   "",
		"plain äöü 漢字 😀":     "plain äöü 漢字 😀",
		"a\nb\tc\x1b[2J\x00": `a\nb\tc\x1b[2J\x00`,
		"\xff\xc3":           `\xff\xc3`,
		"\u202eevil":         `\u202eevil`, // turns the writing direction
		`back\slash "q" 'x'`: `back\slash "q" 'x'`,
	} {
		if got := visible(text); got != want {
			t.Errorf("visible(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestShort(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		-time.Second: "0ms",
		0:            "0ms",
		999*time.Millisecond + 999*time.Microsecond: "999ms",
		time.Second:                           "1.0s",
		59*time.Second + 999*time.Millisecond: "59.9s",
		time.Minute:                           "1m00s",
		2*time.Minute + 5*time.Second:         "2m05s",
		3*time.Hour + 12*time.Minute:          "3h12m",
		5*24*time.Hour + 7*time.Hour:          "5d07h",
	} {
		if got := short(d); got != want {
			t.Errorf("short(%v) = %q, want %q", d, got, want)
		}
	}
}
