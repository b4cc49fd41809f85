package consumer

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"weft/internal/disktest"
	"weft/internal/ledger"
)

// TestOutputNotSynced lets the fsync of an output that stays in its file, or of
// the folder of that, fail: the task's end says so.
func TestOutputNotSynced(t *testing.T) {
	t.Parallel()
	for _, what := range []string{"file", "folder"} {
		for _, name := range []string{"stdout", "stderr"} {
			t.Run(what+" of "+name, func(t *testing.T) {
				t.Parallel()
				stdout, _ := stream(t)
				stderr, _ := stream(t)
				large := stdout
				if name == "stderr" {
					large = stderr
				}
				large.add(text(1 << 20))
				var h ledger.HandOff
				describe := func() { result(&h, stdout, stderr, 64<<10, 1<<20, false) }
				refuse := disktest.NoSyncOf
				if what == "folder" {
					refuse = disktest.NoSyncBut
				}
				if err := refuse(large.file.Fd(), describe); err != nil {
					t.Fatal(err)
				}
				if !strings.Contains(h.Outcome.Error, "output is incomplete") || !strings.Contains(h.Outcome.Error, unix.EIO.Error()) {
					t.Errorf("the task ended with %q", h.Outcome.Error)
				}
			})
		}
	}
}
