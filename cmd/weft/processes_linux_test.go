package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"weft/internal/proc"
)

// awaitProcesses waits until no process is left that has the entry in its
// environment. Those that stay are a failure, and are killed; so are all where
// the test has failed, because it did not come to its end.
func awaitProcesses(t testing.TB, entry string) {
	t.Helper()
	// A manager leaves after a second without work, its consumers with it.
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	failed := t.Failed()
	if failed {
		cancel()
	}
	for {
		left := processes(entry)
		if len(left) == 0 {
			return
		}
		for _, id := range left {
			if id.Wait(ctx) == nil {
				continue
			}
			if !failed {
				cmdline, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", id.PID))
				t.Errorf("left behind: process %d %q", id.PID, bytes.TrimRight(cmdline, "\x00"))
			}
			_ = id.Signal(syscall.SIGKILL)
		}
	}
}

// processes returns the processes that have the entry in their environment.
func processes(entry string) (found []proc.Identity) {
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range files {
		environ, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(append([]byte{0}, environ...), []byte("\x00"+entry+"\x00")) {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if id, err := proc.Of(pid); err == nil {
			found = append(found, id)
		}
	}
	return found
}
