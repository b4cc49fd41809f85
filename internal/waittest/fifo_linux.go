package waittest

import (
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A FIFO is a named pipe by which processes and a test wait for each other. It is open
// for both sides, so that opening it does not block and no reader sees its end.
type FIFO struct {
	Path string
	file *os.File
	t    testing.TB
}

// NewFIFO makes a FIFO at path.
func NewFIFO(t testing.TB, path string) *FIFO {
	t.Helper()
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return &FIFO{path, file, t}
}

// Read waits for the next line that a process writes.
func (f *FIFO) Read() string {
	f.t.Helper()
	return f.ReadUntil(1, nil)[0]
}

// TryRead returns the next line, if one has been written.
func (f *FIFO) TryRead() (line string, ok bool) {
	f.t.Helper()
	raw, err := f.file.SyscallConn()
	if err != nil {
		f.t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) {
		n, err := unix.IoctlGetInt(int(fd), unix.TIOCINQ)
		ok = err == nil && n > 0
	}); err != nil {
		f.t.Fatal(err)
	}
	if ok {
		line = f.Read()
	}
	return line, ok
}

// ReadUntil waits for the next n lines. It returns nil if over is closed before.
func (f *FIFO) ReadUntil(n int, over <-chan struct{}) (lines []string) {
	f.t.Helper()
	if err := f.file.SetReadDeadline(time.Now().Add(Limit())); err != nil {
		f.t.Fatal(err)
	}
	read := make(chan struct{})
	stopped := make(chan bool)
	go func() {
		select {
		case <-over:
			_ = f.file.SetReadDeadline(time.Unix(1, 0))
			stopped <- true
		case <-read:
			stopped <- false
		}
	}()
	var err error
	for len(lines) < n && err == nil {
		var line string
		line, err = f.line()
		lines = append(lines, line)
	}
	close(read)
	switch early := <-stopped; {
	case err == nil:
		return lines
	case !early:
		f.t.Fatalf("wait for a line in %s: %v", f.Path, err)
	}
	return nil
}

// line reads a line byte by byte, so that what comes after it stays in the pipe.
func (f *FIFO) line() (string, error) {
	var line []byte
	for b := make([]byte, 1); ; line = append(line, b[0]) {
		if _, err := f.file.Read(b); err != nil || b[0] == '\n' {
			return string(line), err
		}
	}
}

// Open lets n processes pass that read a line.
func (f *FIFO) Open(n int) {
	f.t.Helper()
	f.Write(strings.Repeat("\n", n))
}

// Write writes text.
func (f *FIFO) Write(text string) {
	f.t.Helper()
	if _, err := f.file.WriteString(text); err != nil {
		f.t.Fatal(err)
	}
}
