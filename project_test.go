//go:build linux

package weft_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"weft"
	"weft/broker"
	"weft/internal/ledger"
	"weft/internal/proc"
	"weft/manager"
	"weft/taskspec"
)

// patience is how long a test waits for anything that has no bound of its own.
const patience = 60 * time.Second

// A project is a folder with a project in it, and what a test knows about it.
type project struct {
	t   *testing.T
	ctx context.Context // ends when the test has waited too long
	dir string
	env []string // of its clients, and so of all its processes
	c   *weft.Context
}

// newProject returns a project that nobody has created yet. Its clients, and
// by inheritance its managers, consumers and tasks, have env. When the test
// ends, the project is stopped and examined.
func newProject(t *testing.T, env ...string) *project {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	// A name of its own kind: it is what finds the project's processes.
	p := &project{t: t, ctx: ctx, dir: t.TempDir()}
	p.env = append(os.Environ(), p.mark(), partVariable+"="+partClient)
	// A process with the race detector would sleep for a second when it ends.
	p.env = append(p.env, "GORACE=atexit_sleep_ms=0")
	p.env = append(p.env, env...)
	t.Cleanup(func() {
		defer cancel()
		p.end()
	})
	return p
}

// patient gives the test more time than others have.
func (p *project) patient(d time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	p.t.Cleanup(cancel)
	p.ctx = ctx
}

// open gives the test's own look at the project. The test never submits: what
// it does cannot help a task along.
func (p *project) open() *weft.Context {
	p.t.Helper()
	if p.c == nil {
		c, err := weft.Open(p.dir)
		if err != nil {
			p.t.Fatal(err)
		}
		p.c = c
	}
	return p.c
}

// A client is a process that uses the project.
type client struct {
	p     *project
	cmd   *exec.Cmd
	calls io.WriteCloser
	lines *json.Decoder
	erred bytes.Buffer
	over  bool
}

// client starts a client that makes one call and ends.
func (p *project) client(c call) *client {
	p.t.Helper()
	cl := p.user()
	cl.call(c)
	if err := cl.calls.Close(); err != nil {
		p.t.Fatal(err)
	}
	return cl
}

// user starts a client that stays for more calls.
func (p *project) user() *client {
	p.t.Helper()
	c := &client{p: p, cmd: exec.CommandContext(p.ctx, "/proc/self/exe")}
	c.cmd.Env = p.env
	c.cmd.Stderr = &c.erred
	var err error
	if c.calls, err = c.cmd.StdinPipe(); err != nil {
		p.t.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	c.lines = json.NewDecoder(out)
	if err := c.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(c.kill)
	return c
}

// call lets the client do something.
func (c *client) call(what call) {
	c.p.t.Helper()
	what.Dir = c.p.dir
	if err := json.NewEncoder(c.calls).Encode(what); err != nil {
		c.p.t.Fatal(err)
	}
}

// next is the client's next line, or io.EOF.
func (c *client) next() (l line, err error) {
	err = c.lines.Decode(&l)
	return l, err
}

// line is the client's next line, which has to come.
func (c *client) line() line {
	c.p.t.Helper()
	l, err := c.next()
	if err != nil {
		waitErr := c.wait()
		c.p.t.Fatalf("client ended without an answer: %v (%v)\n%s", waitErr, err, c.erred.String())
	}
	return l
}

// accepted is the id of the task that the client has submitted.
func (c *client) accepted() string {
	c.p.t.Helper()
	return c.line().TID
}

// answer is the client's last line.
func (c *client) answer() line {
	c.p.t.Helper()
	l := c.line()
	if err := c.wait(); err != nil {
		c.p.t.Fatalf("client failed after its answer %+v: %v\n%s", l, err, c.erred.String())
	}
	return l
}

// wait waits for the end of the client.
func (c *client) wait() error {
	if c.over {
		return nil
	}
	c.over = true
	return c.cmd.Wait()
}

// kill kills the client, if it has not ended.
func (c *client) kill() {
	if !c.over {
		_ = c.cmd.Process.Kill()
		_ = c.wait()
	}
}

// run starts a client that runs a task, and returns it with the task's id.
func (p *project) run(spec *taskspec.Spec) (*client, string) {
	p.t.Helper()
	c := p.client(call{Do: "run", Spec: spec})
	return c, c.accepted()
}

// shell is the spec of a task that runs a script, with its arguments as $1 …
func shell(script string, args ...string) *taskspec.Spec {
	return weft.Command("/bin/sh", append([]string{"-c", script, "sh"}, args...)...)
}

// A fifo is a pipe with a name, through which tasks and the test tell each
// other things. Nobody who opens it has to wait.
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
	if err := f.f.SetReadDeadline(time.Now().Add(patience)); err != nil {
		f.t.Fatal(err)
	}
	s, err := f.r.ReadString('\n')
	if err != nil {
		f.t.Fatalf("wait for a task to tell something: %v", err)
	}
	return strings.TrimSuffix(s, "\n")
}

// open lets n tasks pass that read a line from the fifo.
func (f *fifo) open(n int) {
	f.t.Helper()
	if _, err := f.f.WriteString(strings.Repeat("\n", n)); err != nil {
		f.t.Fatal(err)
	}
}

// gated is a task that tells that it has begun, waits at the gate, and prints
// the token.
func gated(tell, gate *fifo, token string) *taskspec.Spec {
	return shell(`echo "$WEFT_TID" >"$1"; read -r line <"$2"; echo "$3"`, tell.path, gate.path, token)
}

// task is how a task stands.
func (p *project) task(tid string) *ledger.Task {
	p.t.Helper()
	r, err := p.open().Broker().Record(p.ctx, ledger.Kind, tid)
	if err != nil {
		p.t.Fatal(err)
	}
	t, err := ledger.Decode(r)
	if err != nil {
		p.t.Fatal(err)
	}
	return t
}

// tasks is how all tasks stand, or those with one of the statuses.
func (p *project) tasks(statuses ...taskspec.Status) []*ledger.Task {
	p.t.Helper()
	sel := broker.RecordSelect{}
	for _, s := range statuses {
		sel.States = append(sel.States, string(s))
	}
	recs, err := p.open().Broker().Records(p.ctx, ledger.Kind, sel)
	if err != nil {
		p.t.Fatal(err)
	}
	all := make([]*ledger.Task, len(recs))
	for i, r := range recs {
		if all[i], err = ledger.Decode(r); err != nil {
			p.t.Fatal(err)
		}
	}
	return all
}

// await follows the log of the project from its beginning until seen returns
// true.
func (p *project) await(what string, seen func(ledger.Event) bool) {
	p.t.Helper()
	for m, err := range p.open().Queue(ledger.Log).Watch(p.ctx, broker.WatchOptions{Peek: true}) {
		if err != nil {
			p.t.Fatalf("wait for %s: %v", what, err)
		}
		var e ledger.Event
		if err := json.Unmarshal([]byte(m.Body), &e); err != nil {
			p.t.Fatalf("event %s: %v", m.Body, err)
		}
		if seen(e) {
			return
		}
	}
}

// awaitEnd waits until the task has ended and returns how. Nothing is started
// for it.
func (p *project) awaitEnd(tid string) *ledger.Task {
	p.t.Helper()
	p.await("the end of task "+tid, func(e ledger.Event) bool { return e.TID == tid && e.Status.Terminal() })
	return p.task(tid)
}

// manager is the process of the latest manager.
func (p *project) manager() proc.Identity {
	p.t.Helper()
	m := p.currentManager()
	if m == nil {
		p.t.Fatal("there has been no manager")
	}
	return m.Process
}

// currentManager is the record of the latest manager, nil if there is none.
func (p *project) currentManager() *ledger.Manager {
	p.t.Helper()
	r, err := p.open().Broker().Record(p.ctx, ledger.ManagerKind, ledger.CurrentManager)
	if errors.Is(err, broker.ErrNotFound) {
		return nil
	}
	if err != nil {
		p.t.Fatal(err)
	}
	m, err := ledger.DecodeManager(r)
	if err != nil {
		p.t.Fatal(err)
	}
	return m
}

// signal sends a signal to a process that has to be alive.
func (p *project) signal(id proc.Identity, s syscall.Signal) {
	p.t.Helper()
	if err := id.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// murder kills a process that has to be alive and waits for its end.
func (p *project) murder(id proc.Identity) {
	p.t.Helper()
	p.signal(id, syscall.SIGKILL)
	if err := id.Wait(p.ctx); err != nil {
		p.t.Fatal(err)
	}
}

// end stops the project, and proves that nothing is left of it that should
// not be.
func (p *project) end() {
	t := p.t
	defer func() {
		if t.Failed() {
			p.dump()
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	p.ctx = ctx
	c := p.open()
	defer c.Close()
	for _, task := range p.tasks() {
		if !task.Status.Terminal() {
			t.Errorf("task %s (%s) has not ended: %s", task.TID, task.Name, task.Status)
		}
	}
	for {
		running, err := manager.Running(filepath.Join(p.dir, ledger.Dir))
		if err != nil {
			t.Fatal(err)
		}
		if !running {
			break
		}
		if _, err := c.Manager().Stop(ctx); err != nil {
			t.Fatalf("stop manager: %v", err)
		}
	}
	p.vanish(2 * time.Second)
	p.examine()
}

// dump shows what may explain a failure.
func (p *project) dump() {
	logs, _ := filepath.Glob(filepath.Join(p.dir, ledger.Dir, "logs", "*"))
	for _, path := range logs {
		text, err := os.ReadFile(path)
		const most = 8 << 10
		p.t.Logf("%s (%v):\n%s", filepath.Base(path), err, text[max(0, len(text)-most):])
	}
}
