package main

import (
	"os"
	"testing"
)

// TestColored colors for a terminal, if nobody minds, and where it was asked
// for. It sets a variable, so it cannot run beside others.
func TestColored(t *testing.T) {
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no terminals: %v", err)
	}
	defer terminal.Close()
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, test := range []struct {
		when, noColor string
		f             *os.File
		want          bool
	}{
		{"auto", "", terminal, true},
		{"auto", "", file, false},
		{"auto", "1", terminal, false},
		{"always", "1", file, true},
		{"never", "", terminal, false},
	} {
		t.Setenv("NO_COLOR", test.noColor)
		if got := colored(test.when, isTerminal(test.f)); got != test.want {
			t.Errorf("--color=%s, NO_COLOR=%q, %s: %v, want %v", test.when, test.noColor, test.f.Name(), got, test.want)
		}
	}
}
