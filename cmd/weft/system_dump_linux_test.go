package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"weft"
	"weft/internal/waittest"
)

// TestDumpMillion dumps and loads a million messages, and measures memory, time
// and files. It runs where WEFT_LONG is 1.
func TestDumpMillion(t *testing.T) {
	waittest.NeedLong(t)
	const messages, batch = 1_000_000, 10_000
	from, to, dump := t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "dump")
	p, err := weft.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	bodies := make([]string, batch)
	for n := range messages / batch {
		for i := range bodies {
			bodies[i] = fmt.Sprintf("message %d: a hundred bytes or so, as a job that names a file and what is to be done with it", n*batch+i)
		}
		if _, err := p.Queue(fmt.Sprint("q", n%7)).WriteAll(context.Background(), bodies); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	run(t, "--context", from, "system", "dump", "-o", dump)
	run(t, "--context", to, "system", "load", "--dry-run", "-i", dump)
	run(t, "--context", to, "system", "load", "-i", dump)
	run(t, "--context", to, "system", "dump", "-o", dump+"2")
	written, err := os.Stat(dump)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("dump: %d bytes", written.Size())
	if p, err = weft.Open(to); err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	info, err := p.Broker().Info(context.Background())
	if err != nil || info.Log > 64<<20 {
		t.Errorf("the log has %d bytes, %v", info.Log, err)
	}
	t.Logf("store: %d bytes, log: %d bytes", info.Bytes, info.Log)
	again, err := exec.Command("sh", "-c", `for f in "$0" "${0}2"; do sed 1d "$f" | sha256sum; done | uniq | wc -l`, dump).Output()
	if err != nil || string(again) != "1\n" {
		t.Errorf("the loaded project is dumped differently: %q, %v", again, err)
	}
}

// run runs this program as weft and bounds its memory.
func run(t *testing.T, args ...string) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, args...)
	cmd.Args[0] = "weft"
	began := time.Now()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%q: %v\n%s", args, err, out)
	}
	// The peak of the program, or of this one before, whichever is higher.
	const bound = 150 << 10 // KiB
	peak := cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss
	if peak > bound {
		t.Errorf("%q: %d KiB, at most %d", args, peak, bound)
	}
	t.Logf("%q: %v, %d KiB: %s", args[2:4], time.Since(began).Round(time.Millisecond), peak, out)
}
