package runner

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// TestDrainPipes writes to both streams in turn, and has what came first on standard
// output kept before what followed it on standard error is.
func TestDrainPipes(t *testing.T) {
	t.Parallel()
	open := func() (r, w *os.File) {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		return r, w
	}
	dir := t.TempDir()
	var out outputs
	out.stdout = newOutput(filepath.Join(dir, "1.1.out"), func() {}, nil)
	out.stderr = newOutput(filepath.Join(dir, "1.1.err"), func() {}, nil)
	out.stderr.notify = func() { // it holds its own lock meanwhile
		if errs, before := out.stderr.inFile, out.stdout.written(); errs > before {
			t.Errorf("%d bytes of standard error are there before standard output, of %d", errs, before)
		}
	}
	out.live()
	stdout, task1 := open()
	stderr, task2 := open()
	out.drainPipes(stdout, stderr)
	size := int64(0)
	for i := range 20_000 {
		line := fmt.Appendf(nil, "line %d\n", i)
		for _, w := range []*os.File{task1, task2} {
			if _, err := w.Write(line); err != nil {
				t.Fatal(err)
			}
		}
		size += int64(len(line))
	}
	task1.Close()
	task2.Close()
	out.writers.Wait()
	if out.stdout.written() != size || out.stderr.written() != size {
		t.Errorf("%d and %d bytes are kept of %d", out.stdout.written(), out.stderr.written(), size)
	}
	stdout.Close()
	stderr.Close()
	out.close()
}
