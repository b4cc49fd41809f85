package tty

import (
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const tid = "1795320925719519232"

// TestSocket talks through the socket of a project deep in the file system, and
// looks at who may get at it.
func TestSocket(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), strings.Repeat("deep/", 40), ".weft")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Dial(dir, tid, 1); !NotListening(err) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("dial before there is a folder: %v", err)
	}
	l, err := Listen(dir, tid, 1)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]fs.FileMode{"run": fs.ModeDir | 0o700, "run/" + tid + ".1": fs.ModeSocket | 0o600} {
		info, err := os.Lstat(filepath.Join(dir, path))
		if err != nil || info.Mode() != want {
			t.Errorf("%s has mode %v, %v; want %v", path, info.Mode(), err, want)
		}
	}
	if _, err := Dial(dir, tid, 2); !NotListening(err) {
		t.Errorf("dial another attempt: %v", err)
	}
	client, err := Dial(dir, tid, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server, err := l.AcceptClient()
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Send(Frame{Kind: Input, Data: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	if f, err := server.Receive(); err != nil || string(f.Data) != "x" {
		t.Errorf("received %q, %v", f.Data, err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := l.AcceptClient(); err == nil {
		t.Error("accepted after the end")
	}
	if _, err := Dial(dir, tid, 1); !NotListening(err) {
		t.Errorf("dial after the end: %v", err)
	}
	server.Close() // connections outlive the socket
	if _, err := client.Receive(); !errors.Is(err, io.EOF) {
		t.Errorf("received after the end: %v", err)
	}
}

// TestStale clears away what killed consumers have left, and nothing else.
func TestStale(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	run := filepath.Join(dir, "run")
	if err := os.Mkdir(run, 0o700); err != nil {
		t.Fatal(err)
	}
	long := time.Now().Add(-time.Hour)
	for _, name := range []string{"dead", "young", "alive"} {
		path := filepath.Join(run, name)
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		l.SetUnlinkOnClose(false)
		if name != "alive" {
			l.Close()
		}
		if name != "young" {
			if err := os.Chtimes(path, long, long); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.WriteFile(filepath.Join(run, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(filepath.Join(run, "file"), long, long); err != nil {
		t.Fatal(err)
	}
	l, err := Listen(dir, tid, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for name, want := range map[string]bool{"dead": false, "young": true, "alive": true, "file": true} {
		if _, err := os.Lstat(filepath.Join(run, name)); (err == nil) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Listen(dir, tid, 1); err == nil {
		t.Error("two listen for one task")
	}
}
