package main

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"weft/broker/sqlite"
	"weft/internal/waittest"
)

// TestStoreIsOpenedBySQLite uses a project in many ways while it counts who opens
// the files of its store. Each connection of SQLite opens the database once and
// its log once. Whatever else opens one of them, if only to look, drops the locks
// that the process has on it where these are those of POSIX.
func TestStoreIsOpenedBySQLite(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	t.Cleanup(func() { stopProcesses(t, "HOME="+home) })
	weft := func(args ...string) (string, error) {
		exe, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(exe, args...)
		cmd.Args[0] = "weft"
		cmd.Dir = home
		cmd.Env = append(os.Environ(), "HOME="+home, "XDG_STATE_HOME="+home)
		cmd.Stdin = bytes.NewReader(bytes.Repeat([]byte("x"), 100_000))
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	must := func(args ...string) {
		if out, err := weft(args...); err != nil {
			t.Fatalf("%q: %v\n%s", args, err, out)
		}
	}
	must("init")
	opened := watchOpens(t, filepath.Join(home, ".weft"))
	for _, line := range []string{
		"run cat", "run --no-wait --key k cat", "wait @last", "result @last --peek", "result @last --json", "result --all",
		"run --stream-output cat", "run --delay 0.01 true", "run --no-wait --no-stdin --continuous cat", "task list", "task stop @last",
		"status --json", "list --stats", "task status @last", "task log @last", "task retry @last",
		"task pause @last", "task resume @last", "task ping @last", "task kill @last", "manager list", "manager status",
		"batch true", "queue write q x", "queue write q y", "queue peek q --all", "queue move q r", "queue watch r -n 1",
		"queue list --stats", "queue rename q s", "queue broadcast z", "queue alias add a s", "queue read @a", "queue delete s",
		"spec list", "function list", "system dump -o dump", "system tidy", "system doctor", "manager serve --help",
		"manager stop", "system doctor", "run true", "manager stop",
	} {
		if line == "task pause @last" { // the task that was retried may not run yet
			waittest.Until(t, "a task that runs", func() bool {
				_, err := weft("task", "ping", "@last")
				return err == nil
			})
		}
		must(strings.Fields(line)...)
	}
	count := opened()
	database, log := count[sqlite.Name], count[sqlite.Name+"-wal"]
	if database != log || database == 0 {
		t.Errorf("%s was opened %d times and its log %d times", sqlite.Name, database, log)
	}
	if shared := count[sqlite.Name+"-shm"]; shared > database {
		t.Errorf("%s was opened %d times and its index %d times", sqlite.Name, database, shared)
	}
}

// watchOpens counts how often each file of a folder is opened, until it is asked.
func watchOpens(t *testing.T, dir string) (opened func() map[string]int) {
	t.Helper()
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := unix.InotifyAddWatch(fd, dir, unix.IN_OPEN); err != nil {
		t.Fatal(err)
	}
	return func() map[string]int {
		defer unix.Close(fd)
		count := map[string]int{}
		buf := make([]byte, 64<<10)
		for {
			n, err := unix.Read(fd, buf)
			if err == unix.EAGAIN {
				return count
			}
			if err != nil {
				t.Fatal(err)
			}
			for p := buf[:n]; len(p) > 0; {
				if binary.NativeEndian.Uint32(p[4:])&unix.IN_Q_OVERFLOW != 0 {
					t.Fatal("too much was opened")
				}
				end := unix.SizeofInotifyEvent + binary.NativeEndian.Uint32(p[12:])
				count[string(bytes.TrimRight(p[unix.SizeofInotifyEvent:end], "\x00"))]++
				p = p[end:]
			}
		}
	}
}
