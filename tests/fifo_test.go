//go:build linux

package weft_test

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"weft/broker"
	"weft/internal/ledger"
	"weft/internal/waittest"
	"weft/taskspec"
)

// A fifo is a named pipe through which tasks and the test exchange lines. Opening it
// does not block.
type fifo struct {
	path string
	f    *os.File
	r    *bufio.Reader
	t    *testing.T
}

func (p *project) fifo(name string) *fifo {
	p.t.Helper()
	path := filepath.Join(p.dir, name)
	if err := unix.Mkfifo(path, 0o600); err != nil {
		p.t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { f.Close() })
	return &fifo{path: path, f: f, r: bufio.NewReader(f), t: p.t}
}

// read is the next line that a task has written.
func (f *fifo) read() string {
	f.t.Helper()
	if err := f.f.SetReadDeadline(time.Now().Add(waittest.Limit())); err != nil {
		f.t.Fatal(err)
	}
	s, err := f.r.ReadString('\n')
	if err != nil {
		f.t.Fatalf("wait for a task to tell something: %v", err)
	}
	return strings.TrimSuffix(s, "\n")
}

// told is the next n lines that a task has written, or nil if it ends before.
func (p *project) told(f *fifo, tid string, n int) (lines []string) {
	p.t.Helper()
	if err := f.f.SetReadDeadline(time.Now().Add(waittest.Limit())); err != nil {
		p.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(p.ctx)
	ended := false
	var watch sync.WaitGroup
	log := p.open().Queue(ledger.Log)
	watch.Go(func() {
		for m, err := range log.Watch(ctx, broker.WatchOptions{Peek: true}) {
			var e ledger.Event
			if err == nil && json.Unmarshal([]byte(m.Body), &e) == nil && e.TID == tid && e.Status.Terminal() {
				ended = f.f.SetReadDeadline(time.Unix(1, 0)) == nil
				return
			}
		}
	})
	for range n {
		s, err := f.r.ReadString('\n')
		if err != nil {
			cancel()
			watch.Wait()
			if ended {
				return nil
			}
			p.t.Fatalf("wait for a task to tell something: %v", err)
		}
		lines = append(lines, strings.TrimSuffix(s, "\n"))
	}
	cancel()
	watch.Wait()
	return lines
}

// open lets n tasks pass that read a line from the fifo.
func (f *fifo) open(n int) {
	f.t.Helper()
	if _, err := f.f.WriteString(strings.Repeat("\n", n)); err != nil {
		f.t.Fatal(err)
	}
}

// blocked is a task that writes to tell when it begins, waits for proceed, and prints
// the token.
func blocked(tell, proceed *fifo, token string) *taskspec.Spec {
	return shell(`echo "$WEFT_TID" >"$1"; read -r line <"$2"; echo "$3"`, tell.path, proceed.path, token)
}
