package proc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The grandchild is no child of ours, and its parent does not reap it.
func TestWaitForGrandchild(t *testing.T) {
	t.Parallel()
	// Standard input of a background job is /dev/null unless it is named.
	c, line := start(t, exec.Command("sh", "-c", "exec 3<&0; cat <&3 3<&- & echo $!; exec sleep 1000 3<&- <&-"))
	pid, err := strconv.Atoi(line)
	if err != nil {
		t.Fatal(err)
	}
	id := identify(t, pid)
	done := make(chan error, 1)
	go func() { done <- id.Wait(t.Context()) }()
	if err := c.echoes(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-done:
		t.Fatalf("Wait returned %v while the process runs", err)
	default:
	}
	c.in.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if s, err := Read(pid); err != nil || s.State != 'Z' {
		t.Errorf("after Wait: %+v, %v, want a zombie", s, err)
	}
}

func TestWaitEndsWithContext(t *testing.T) {
	t.Parallel()
	c, _ := start(t, cat())
	id := identify(t, c.Process.Pid)
	cause := errors.New("cause")
	for name, end := range map[string]func(context.Context) (context.Context, context.CancelFunc){
		"deadline": func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Millisecond)
		},
		"cancelled before": func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancelCause(ctx)
			cancel(cause)
			return ctx, func() {}
		},
	} {
		ctx, cancel := end(t.Context())
		if err := id.Wait(ctx); err == nil || err != ctx.Err() {
			t.Errorf("%s: %v, want %v", name, err, ctx.Err())
		}
		cancel()
	}

	// Many waiters, each cancelled while it waits, leave nothing behind.
	ctx, cancel := context.WithCancel(t.Context())
	results := make(chan error)
	for range 50 {
		go func() { results <- id.Wait(ctx) }()
	}
	cancel()
	for range 50 {
		if err := <-results; err != context.Canceled {
			t.Errorf("cancelled: %v", err)
		}
	}
	if err := c.echoes(); err != nil {
		t.Errorf("the process after its waiters were cancelled: %v", err)
	}
}

// A process whose main thread has ended looks like a zombie and still runs.
func TestMainThreadEnded(t *testing.T) {
	t.Parallel()
	c, _ := start(t, role("headless"))
	s, err := Read(c.Process.Pid)
	if err != nil || s.State != 'Z' || s.Threads < 2 {
		t.Fatalf("stat %+v, %v: want state Z and threads", s, err)
	}
	id := identify(t, c.Process.Pid)
	if !id.Alive() {
		t.Error("not alive")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := id.Wait(ctx); err != context.DeadlineExceeded {
		t.Errorf("Wait while it runs: %v", err)
	}
	if err := id.Signal(syscall.SIGKILL); err != nil {
		t.Error(err)
	}
	if err := id.Wait(t.Context()); err != nil || id.Alive() {
		t.Errorf("after SIGKILL: Wait %v, alive %v", err, id.Alive())
	}
}

// runHeadless ends the main thread of this process, says so, and lives on until
// its input ends.
func runHeadless() {
	go func() {
		// Polled, because the kernel reports the end of a thread to nobody.
		for s, err := Read(os.Getpid()); err == nil && s.State != 'Z'; s, err = Read(os.Getpid()) {
			runtime.Gosched()
		}
		fmt.Println(os.Getpid())
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	for {
		go func() {
			runtime.LockOSThread()
			if unix.Gettid() == os.Getpid() {
				syscall.Syscall(unix.SYS_EXIT, 0, 0, 0)
			}
			runtime.UnlockOSThread()
		}()
		runtime.Gosched()
	}
}
