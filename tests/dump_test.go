package weft_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"weft"
	"weft/broker"
)

// opened returns a new project with a message in it.
func opened(t *testing.T) *weft.Project {
	t.Helper()
	p, err := weft.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	if _, err := p.Queue("q").Write(t.Context(), "hello"); err != nil {
		t.Fatal(err)
	}
	return p
}

// TestDumpFile replaces a dump when it is complete, and only then.
func TestDumpFile(t *testing.T) {
	t.Parallel()
	p, dir := opened(t), t.TempDir()
	path := filepath.Join(dir, "dump")
	if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.System().DumpFile(ctx, path, weft.DumpOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	text, err := os.ReadFile(path)
	if err != nil || string(text) != "old" {
		t.Errorf("a dump that failed left %q, %v", text, err)
	}
	report, err := p.System().DumpFile(t.Context(), path, weft.DumpOptions{})
	if want := (broker.DumpReport{Messages: 1, Queues: 1}); err != nil || report != want {
		t.Errorf("dumped %+v, %v", report, err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); mode != 0o600 && runtime.GOOS != "windows" {
		t.Errorf("mode %o", mode)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("the folder holds %v, %v", left, err)
	}
}

// TestLoadPipe reads a dump that can be read only once.
func TestLoadPipe(t *testing.T) {
	t.Parallel()
	from, to := opened(t), opened(t)
	if _, err := to.Queue("q").Delete(t.Context(), broker.Select{}); err != nil {
		t.Fatal(err)
	}
	var dump bytes.Buffer
	if _, err := from.System().Dump(t.Context(), &dump, weft.DumpOptions{}); err != nil {
		t.Fatal(err)
	}
	text := dump.String()
	preview, err := weft.PreviewLoad(t.Context(), strings.NewReader(text), weft.LoadOptions{})
	if err != nil || preview.Messages != 1 {
		t.Errorf("preview %+v, %v", preview, err)
	}
	report, err := to.System().Load(t.Context(), &dump, weft.LoadOptions{})
	if err != nil || report.Messages != 1 || report.Header != preview.Header {
		t.Errorf("loaded %+v, %v", report, err)
	}
	m, err := to.Queue("q").Peek(t.Context())
	if err != nil || m.Body != "hello" {
		t.Errorf("message %+v, %v", m, err)
	}
	report, err = to.System().Load(t.Context(), strings.NewReader(text), weft.LoadOptions{})
	if err != nil || report.Messages != 0 || report.Present != 1 {
		t.Errorf("loaded twice: %+v, %v", report, err)
	}
	differs := strings.Replace(text, "hello", "other", 1)
	report, err = to.System().Load(t.Context(), strings.NewReader(differs), weft.LoadOptions{})
	if !errors.Is(err, broker.ErrConflict) || report == nil || report.Conflicting != 1 {
		t.Errorf("in conflict: %+v, %v", report, err)
	}
	if report, err := to.System().Load(t.Context(), strings.NewReader("x"), weft.LoadOptions{}); !errors.Is(err, broker.ErrDump) || report != nil {
		t.Errorf("no dump: %+v, %v", report, err)
	}
	broken := errors.New("broken")
	if _, err := to.System().Load(t.Context(), failing{broken}, weft.LoadOptions{}); !errors.Is(err, broken) {
		t.Errorf("a reader that fails: %v", err)
	}
	left, err := filepath.Glob(filepath.Join(to.Root(), ".weft", "load-*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left: %q, %v", left, err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
