//go:build linux

package weft_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"sync"

	"weft"
	"weft/taskspec"
)

// A client is a process that uses the project.
type client struct {
	p     *project
	cmd   *exec.Cmd
	calls io.WriteCloser
	lines *json.Decoder
	erred bytes.Buffer
	wait  func() error // for the end of the client
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
	c.wait = sync.OnceValue(c.cmd.Wait)
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

// kill kills the client, if it has not ended, and waits for its end.
func (c *client) kill() {
	_ = c.cmd.Process.Kill()
	_ = c.wait()
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

// last is the client's answer, after the line that says it was accepted.
func (c *client) last() line {
	c.p.t.Helper()
	c.accepted()
	return c.answer()
}

// results reads all that a client with a load reports, and returns the last
// line for each task.
func (c *client) results() map[string]line {
	c.p.t.Helper()
	last := make(map[string]line)
	for {
		l, err := c.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			c.p.t.Fatal(err)
		}
		if last[l.TID].Status != "" {
			c.p.t.Errorf("task %s was answered twice", l.TID)
		}
		last[l.TID] = l
	}
	if err := c.wait(); err != nil {
		c.p.t.Errorf("client failed: %v\n%s", err, c.erred.String())
	}
	return last
}
