package sqlite

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weft/broker"
)

// TestLongView holds a view while others write: it must not hold them back,
// and the log that grows meanwhile must shrink afterwards.
func TestLongView(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b, err := Open(dir, Options{Durability: Normal})
	must(t, err)
	defer b.Close()
	q, body := b.Queue("q"), strings.Repeat("x", 1<<20)
	write := func(n int) {
		for range n {
			_, err := q.Write(t.Context(), body)
			must(t, err)
			_, err = q.Read(t.Context())
			must(t, err)
		}
	}
	logged := func() int64 {
		info, err := os.Stat(filepath.Join(dir, Name+"-wal"))
		must(t, err)
		return info.Size()
	}
	write(1)
	reading, leave, left := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		left <- b.View(t.Context(), func(r broker.Reader) error {
			if _, err := r.Messages("q", broker.Select{}); err != nil {
				return err
			}
			close(reading)
			<-leave
			return nil
		})
	}()
	await(t, "the view", reading)
	write(20)
	if n := logged(); n <= logBytes {
		t.Errorf("log has %d bytes: the view did not hold it, so this test tests nothing", n)
	}
	close(leave)
	must(t, await(t, "the end of the view", left))
	write(10)
	if n := logged(); n > logBytes {
		t.Errorf("log has %d bytes after the view, want at most %d", n, logBytes)
	}
}
