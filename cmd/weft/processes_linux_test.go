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

	"weft/internal/proc"
	"weft/internal/waittest"
)

// stopProcesses stops the managers that have the entry in their environment, and
// waits until no process is left that has it. Those that stay are a failure, and
// are killed; so are all where the test has failed, because it did not come to its
// end.
func stopProcesses(t testing.TB, entry string) {
	t.Helper()
	ctx := waittest.Context(t)
	failed := t.Failed()
	if failed {
		over, cancel := context.WithCancel(ctx)
		cancel()
		ctx = over
	}
	for {
		left := processes(entry)
		if len(left) == 0 {
			return
		}
		for _, id := range left {
			if isManager(id.PID) {
				_ = id.Signal(syscall.SIGTERM) // if it has not left by now
			}
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

// isManager reports whether the title of a process says so.
func isManager(pid int) bool {
	title, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return bytes.HasPrefix(title, []byte("weft-manager")) || bytes.Contains(title, []byte(":manager:"))
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
