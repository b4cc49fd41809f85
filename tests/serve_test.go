//go:build linux

package weft_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"weft"
	"weft/taskspec"
)

// TestServe is a manager inside this process: when its context ends, a running
// task goes on; when it is stopped, the task ends.
func TestServe(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	tell, proceed := p.fifo("tell"), p.fifo("proceed")
	serve := func(ctx context.Context, stop <-chan struct{}) <-chan error {
		ready, over := make(chan struct{}, 1), make(chan error, 1)
		go func() {
			over <- p.open().Serve(ctx, weft.ServeOptions{Stop: stop, Ready: func() {
				select {
				case ready <- struct{}{}:
				default:
				}
			}})
		}()
		select {
		case <-ready:
		case err := <-over:
			t.Fatalf("serve: %v", err)
		}
		return over
	}

	ctx, leave := context.WithCancel(p.ctx)
	over := serve(ctx, nil)
	if err := p.open().Serve(p.ctx, weft.ServeOptions{Only: true}); !errors.Is(err, weft.ErrManagerRunning) {
		t.Errorf("a second manager: %v", err)
	}
	task, err := p.open().SubmitContext(p.ctx, blocked(tell, proceed, "kept"))
	if err != nil {
		t.Fatal(err)
	}
	tell.Read()
	leave()
	if err := <-over; !errors.Is(err, context.Canceled) {
		t.Errorf("serve: %v", err)
	}
	over = serve(p.ctx, nil)
	proceed.Open(1)
	if res, err := task.Result(p.ctx); err != nil || !strings.HasPrefix(string(res.Output), "kept") {
		t.Errorf("a task that outlived its manager: %q %v", res.Output, err)
	}
	if had, err := p.open().Manager().Stop(p.ctx); !had || err != nil {
		t.Errorf("stop the manager of this process: %v %v", had, err)
	}
	if err := <-over; err != nil {
		t.Errorf("serve: %v", err)
	}

	stop := make(chan struct{})
	over = serve(p.ctx, stop)
	if task, err = p.open().SubmitContext(p.ctx, blocked(tell, proceed, "stopped")); err != nil {
		t.Fatal(err)
	}
	tell.Read()
	close(stop)
	if err := <-over; err != nil {
		t.Errorf("serve: %v", err)
	}
	if l := p.task(task.TID()); l.Status != taskspec.StatusCancelled {
		t.Errorf("the task ended %s", l.Status)
	}
}

// TestServeTakesOver is a program that serves where a client has started a manager in the
// background, which leaves; another program that serves stands by.
func TestServeTakesOver(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	tell, proceed := p.fifo("tell"), p.fifo("proceed")
	c, tid := p.run(blocked(tell, proceed, "kept"))
	tell.Read()
	background := p.manager()
	first, err := weft.Open(p.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	ctx, leave := context.WithCancel(p.ctx)
	defer leave()
	ready, over := make(chan struct{}), make(chan error, 1)
	go func() {
		over <- first.Serve(ctx, weft.ServeOptions{Ready: func() { close(ready) }}) // a second call would panic
	}()
	select {
	case <-ready:
	case err := <-over:
		t.Fatalf("serve: %v", err)
	}
	if now := p.manager(); now.PID != os.Getpid() || now == background {
		t.Errorf("the manager is %v, and was %v", now, background)
	}
	if err := background.Wait(p.ctx); err != nil {
		t.Fatal(err)
	}

	log, standing := io.Pipe()
	second, stop := make(chan error, 1), make(chan struct{})
	go func() {
		logger := slog.New(slog.NewTextHandler(standing, nil))
		second <- p.open().Serve(p.ctx, weft.ServeOptions{Log: logger, Stop: stop})
		standing.Close()
	}()
	said, err := bufio.NewReader(log).ReadString('\n')
	if want := fmt.Sprintf("pid=%d", os.Getpid()); err != nil || !strings.Contains(said, "standing by for another manager") || !strings.Contains(said, want) {
		t.Errorf("the second says %q (%v), want it to name %s", said, err, want)
	}
	go io.Copy(io.Discard, log)
	close(stop)
	if err := <-second; err != nil {
		t.Errorf("the second: %v", err)
	}

	proceed.Open(1)
	if res := c.answer(); res.TID != tid || !strings.HasPrefix(res.Output, "kept") {
		t.Errorf("a task that outlived its manager: %+v", res)
	}
	leave()
	if err := <-over; !errors.Is(err, context.Canceled) {
		t.Errorf("serve: %v", err)
	}
	managers := p.managers()
	task, err := first.SubmitContext(p.ctx, weft.Command("true"))
	if err != nil {
		t.Fatal(err)
	}
	if l := p.task(task.TID()); l.Status != taskspec.StatusCreated || p.managers() != managers {
		t.Errorf("what has served started a manager for its own task: %s, %d managers, %d before", l.Status, p.managers(), managers)
	}
	if _, err := task.Stop(p.ctx); err != nil {
		t.Error(err)
	}
}

// TestNoManager submits from a program that never starts a manager, and so need not call
// Init.
func TestNoManager(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	path := filepath.Join(t.TempDir(), "noinit")
	build(t, "./testdata/noinit", path)
	client := exec.CommandContext(p.ctx, path, p.dir, "submit")
	client.Env = append(os.Environ(), p.mark())
	out, err := client.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if n, l := p.managers(), p.task(string(out)); n != 0 || l.Status != taskspec.StatusCreated {
		t.Fatalf("%d managers, the task is %s", n, l.Status)
	}
	over, ctx := make(chan error, 1), p.ctx
	stop := make(chan struct{})
	go func() { over <- p.open().Serve(ctx, weft.ServeOptions{Stop: stop}) }()
	if l := p.awaitEnd(string(out)); l.Status != taskspec.StatusCompleted {
		t.Errorf("the task is %s: %s", l.Status, l.Error)
	}
	close(stop)
	if err := <-over; err != nil {
		t.Errorf("serve: %v", err)
	}
}

// TestNoReuse has a manager for each call.
func TestNoReuse(t *testing.T) {
	t.Parallel()
	p := newProject(t, "WEFT_MANAGER_REUSE_ENABLED=false")
	for i := range 2 {
		c, _ := p.run(weft.Command("true"))
		c.answer()
		if err := p.currentManager().Process.Wait(p.ctx); err != nil {
			t.Fatal(err)
		}
		if n := p.managers(); n != i+1 {
			t.Errorf("%d managers after %d calls", n, i+1)
		}
	}
}

// TestNoInit: a program that does not call Init executes nothing of itself. It
// uses the weft command on PATH, or says what to do.
func TestNoInit(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	dir := t.TempDir()
	build(t, "./testdata/noinit", filepath.Join(dir, "noinit"))
	host := exec.CommandContext(p.ctx, filepath.Join(dir, "noinit"), p.dir)
	host.Env = append(os.Environ(), "PATH="+dir, p.mark())
	if out, err := host.CombinedOutput(); err == nil || !strings.Contains(string(out), weft.ErrNoInit.Error()) {
		t.Errorf("host without weft: %v\n%s", err, out)
	}
	if n := len(p.tasks()); n != 0 {
		t.Errorf("%d tasks were queued that nobody would run", n)
	}
	build(t, "weft/examples/hello", filepath.Join(dir, "weft")) // any program that calls Init will do
	host = exec.CommandContext(p.ctx, filepath.Join(dir, "noinit"), p.dir)
	host.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), p.mark())
	if out, err := host.CombinedOutput(); err != nil || string(out) != "hello\n" {
		t.Errorf("host with weft on PATH: %v\n%s", err, out)
	}
	exe, err := os.Readlink("/proc/" + strconv.Itoa(p.manager().PID) + "/exe")
	if err != nil || filepath.Base(exe) != "weft" {
		t.Errorf("the manager is %s: %v", exe, err)
	}
}

// TestExamples runs the programs that users copy.
func TestExamples(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	path := filepath.Join(t.TempDir(), "hello")
	build(t, "weft/examples/hello", path)
	cmd := exec.CommandContext(p.ctx, path)
	cmd.Dir = p.dir
	cmd.Env = append(os.Environ(), p.mark())
	if out, err := cmd.Output(); err != nil || string(out) != "hello world\n" {
		t.Errorf("hello: %v\n%s", err, out)
	}
}

func build(t *testing.T, pkg, path string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, pkg).CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", pkg, err, out)
	}
}
