//go:build linux

package weft_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"weft"
	"weft/internal/disktest"
)

// TestNotSynced lets fsync fail for files beside the store: what should hold them
// is refused, and nothing of it stays.
func TestNotSynced(t *testing.T) {
	t.Parallel()
	p := opened(t)
	dump := filepath.Join(t.TempDir(), "dump")
	large := strings.NewReader(strings.Repeat("x", 1<<20))
	for _, tt := range []struct {
		name  string
		write func() error
		left  string // where no file must stay
	}{
		{"a spec", func() error { return p.Specs().Create("greet", strings.NewReader(greet)) }, filepath.Join(p.Root(), ".weft", "tasks")},
		{"a dump", func() error {
			_, err := p.System().DumpFile(t.Context(), dump, weft.DumpOptions{})
			return err
		}, filepath.Dir(dump)},
		{"an input", func() error {
			_, err := p.Prepare(t.Context(), shell("cat"), weft.SubmitOptions{Stdin: large})
			return err
		}, filepath.Join(p.Root(), ".weft", "outputs")},
	} {
		var refused error
		if err := disktest.NoSync(func() { refused = tt.write() }); err != nil {
			t.Fatal(err)
		}
		if !errors.Is(refused, unix.EIO) {
			t.Errorf("%s: error %v, want %v", tt.name, refused, unix.EIO)
		}
		if left, err := os.ReadDir(tt.left); err != nil || len(left) > 0 {
			t.Errorf("%s: left %v, %v", tt.name, left, err)
		}
	}
}
