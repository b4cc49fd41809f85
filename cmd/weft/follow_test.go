package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"weft/internal/waittest"
)

// TestFollow lets 16 `weft queue write` run at a time while a reader asks again and again for what came after the last message it saw:
// together its answers must be the queue.
func TestFollow(t *testing.T) {
	t.Parallel()
	follow(t, 4)
}

// TestLongFollow is the same for longer.
func TestLongFollow(t *testing.T) {
	waittest.NeedLong(t)
	follow(t, 200)
}

// follow lets each of 16 writers write n messages, each by a process of its
// own.
func follow(t *testing.T, n int) {
	dir := t.TempDir()
	weft := func(args ...string) (out string, err error) {
		exe, err := os.Executable()
		if err != nil {
			return "", err
		}
		var errs strings.Builder
		cmd := exec.Command(exe)
		cmd.Args = append([]string{"weft"}, args...) // see TestMain
		cmd.Dir, cmd.Stderr = dir, &errs
		cmd.Env = append(os.Environ(), "HOME="+dir, "WEFT_CONTEXT="+dir, "GORACE=atexit_sleep_ms=0")
		text, err := cmd.Output()
		if err != nil {
			return "", fmt.Errorf("weft %s: %w: %s", strings.Join(args, " "), err, errs.String())
		}
		return string(text), nil
	}
	peek := func(after string) string {
		args := []string{"queue", "peek", "q", "--all", "--timestamps"}
		if after != "" {
			args = append(args, "--after", after)
		}
		text, err := weft(args...)
		if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() == exitNotFound {
			return "" // nothing has come yet
		}
		if err != nil {
			t.Fatal(err)
		}
		return text
	}

	if _, err := weft("init"); err != nil {
		t.Fatal(err)
	}
	const writers = 16
	var writing sync.WaitGroup
	defer writing.Wait() // also where the test fails
	for w := range writers {
		writing.Go(func() {
			for i := range n {
				if _, err := weft("queue", "write", "q", fmt.Sprintf("%d.%d", w, i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		writing.Wait()
	}()
	seen, last, looks := "", "", 0
	for more := true; more; looks++ {
		select {
		case <-done:
			more = false // this look is the last
		default:
		}
		if text := peek(last); text != "" {
			seen += text
			lines := strings.Split(strings.TrimSpace(text), "\n")
			last, _, _ = strings.Cut(lines[len(lines)-1], "\t")
		}
	}
	all := peek("")
	if seen != all {
		t.Errorf("seen in %d looks:\n%s\nthe queue:\n%s", looks, seen, all)
	}
	if got := strings.Count(all, "\n"); got != writers*n {
		t.Errorf("the queue holds %d messages, want %d", got, writers*n)
	}
	t.Logf("%d messages, each of a process, %d at a time, followed in %d looks", writers*n, writers, looks)
}
