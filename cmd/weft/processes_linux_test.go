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
// environment. Those that stay are a failure, and are killed.
func awaitProcesses(t testing.TB, entry string) {
	t.Helper()
	// A manager leaves after two seconds without work, its consumers with it.
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if t.Failed() {
		cancel() // the script did not come to its end
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
			cmdline, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", id.PID))
			t.Errorf("left behind: process %d %q", id.PID, cmdline)
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
