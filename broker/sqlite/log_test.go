package sqlite

import (
	"strings"
	"testing"
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
	write(1)
	end := viewed(t, b)
	write(20)
	if n := logged(t, dir); n <= logBytes {
		t.Errorf("log has %d bytes: the view did not hold it, so this test tests nothing", n)
	}
	end()
	write(10)
	if n := logged(t, dir); n > logBytes {
		t.Errorf("log has %d bytes after the view, want at most %d", n, logBytes)
	}
}
