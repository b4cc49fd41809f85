//go:build linux

package weft_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"weft"
	"weft/taskspec"
)

// The parts that this program plays when a test executes it again. They are
// processes of their own, so that a test can kill them.
const (
	partClient   = "client"   // a user of a project: reads calls, writes what came of them
	partFamily   = "family"   // the command of a task, with children that try to escape
	partChild    = "child"    // one of these
	partKeeper   = "keeper"   // the command of a task of TestEscapes
	partDatabase = "database" // a program with a SQLite database of its own
	partEscaping = "escaping" // a process of it that tries to escape
)

// play plays a part and returns the exit code of its process.
func play(part string, args []string) int {
	err := fmt.Errorf("no such part: %q", part)
	switch part {
	case partClient:
		err = playClient(os.Stdin, json.NewEncoder(os.Stdout))
	case partFamily:
		err = playFamily(args[0])
	case partChild:
		err = playChild(args[0], args[1])
	case partKeeper:
		err = playKeeper(args[0], args[1], args[2])
	case partService:
		err = playService(args[0], args[1])
	case partDatabase:
		err = playDatabase(args[0])
	case partEscaping:
		err = playEscaping(args[0], args[1])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, part+":", err)
		return 1
	}
	return 0
}

// A call is what a client does.
type call struct {
	Do   string         // see carryOut
	Dir  string         // the project
	TID  string         // of the task concerned, if there is one
	Spec *taskspec.Spec // of the task to submit, if there is one
	Load load           // what to do much of
	// Drain is how long running tasks have, for the call "drain".
	Drain time.Duration

	Pipeline *weft.Pipeline // to submit, if there is one
}

// A line is what a client reports of a task: first the id, when the task has
// been accepted, then how it ended.
type line struct {
	TID    string
	Status taskspec.Status
	Code   *int
	Reason string
	Output string
	Error  string // why the client has no answer
}

// playClient carries out the calls that it reads from in, one after the other.
// Before a result is taken, it has been written to out.
func playClient(in io.Reader, out *json.Encoder) error {
	ctx := context.Background()
	var p *weft.Project
	for calls := json.NewDecoder(in); ; {
		var c call
		switch err := calls.Decode(&c); {
		case errors.Is(err, io.EOF) && p != nil:
			return p.Close()
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read call: %w", err)
		}
		if p == nil {
			var err error
			if p, err = weft.Open(c.Dir); err != nil {
				return err
			}
		}
		if err := c.carryOut(ctx, p, out); err != nil {
			return fmt.Errorf("%s: %w", c.Do, err)
		}
	}
}

// carryOut does what the call says.
func (c call) carryOut(ctx context.Context, p *weft.Project, out *json.Encoder) error {
	switch c.Do {
	case "run":
		return runTask(ctx, p, c.Spec, out.Encode)
	case "submit":
		t, err := p.Submit(c.Spec)
		if err != nil {
			return err
		}
		return out.Encode(line{TID: t.TID()})
	case "pipeline":
		t, err := p.SubmitPipeline(ctx, c.Pipeline)
		if err != nil {
			return err
		}
		if err := out.Encode(line{TID: t.TID()}); err != nil {
			return err
		}
		return takeResult(ctx, t, out.Encode)
	case "result", "stop", "kill":
		t, err := p.Task(ctx, c.TID)
		if err != nil {
			return err
		}
		return c.finish(ctx, t, out.Encode)
	case "items":
		t, err := p.Task(ctx, c.TID)
		if err != nil {
			return err
		}
		return takeItems(ctx, t, out.Encode)
	case "retry":
		t, err := p.Task(ctx, c.TID)
		if err != nil {
			return err
		}
		return errors.Join(t.Retry(ctx), out.Encode(line{TID: c.TID}))
	case "load":
		return c.Load.run(ctx, p, out)
	case "keys":
		return c.Load.keys(ctx, p, out)
	case "manager":
		if err := p.Manager().Start(ctx); err != nil {
			return err
		}
		return out.Encode(line{})
	case "look":
		_, err := p.TrustStatus(ctx)
		return errors.Join(err, out.Encode(line{}))
	case "trust":
		return errors.Join(p.Trust(ctx), out.Encode(line{}))
	case "serve":
		err := p.Serve(ctx, weft.ServeOptions{Only: true, Lifetime: p.Manager().Lifetime()})
		if errors.Is(err, weft.ErrManagerRunning) {
			return out.Encode(line{Error: "refused"})
		}
		return err
	case "run inside":
		served.Store(p)
		return runInside(ctx, p, c.Spec, out)
	case "drain":
		ending, cancel := signal.NotifyContext(ctx, syscall.SIGTERM)
		defer cancel()
		told := context.AfterFunc(ending, func() { _ = out.Encode(line{Reason: "told to end"}) })
		defer told()
		if err := p.Serve(ending, weft.ServeOptions{Drain: c.Drain}); ending.Err() == nil {
			return err
		}
		return nil
	case "stand by":
		stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
		defer cancel()
		return p.Serve(ctx, weft.ServeOptions{Stop: stop.Done()})
	}
	return errors.New("no such call")
}

// runTask submits a task, waits for its end and takes its result.
func runTask(ctx context.Context, p *weft.Project, spec *taskspec.Spec, say func(any) error) error {
	t, err := p.SubmitContext(ctx, spec)
	if err != nil {
		return err
	}
	if err := say(line{TID: t.TID()}); err != nil {
		return err
	}
	return takeResult(ctx, t, say)
}

// runInside serves the project meanwhile, and calls the function of the spec until
// it has been carried out by the transaction that submitted it.
func runInside(ctx context.Context, p *weft.Project, spec *taskspec.Spec, out *json.Encoder) error {
	stop, ready, served := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		served <- p.Serve(ctx, weft.ServeOptions{Stop: stop, Slots: 1, Ready: sync.OnceFunc(func() { close(ready) })})
	}()
	<-ready
	key := spec.Key
	for direct := false; !direct; {
		if key != "" {
			spec.Key += key
		}
		t, err := p.SubmitContext(ctx, spec)
		if err != nil {
			return err
		}
		res, err := t.Result(ctx)
		if err != nil {
			return err
		}
		if again, err := t.Result(ctx); !errors.Is(err, weft.ErrResultConsumed) || again.Status != res.Status {
			return fmt.Errorf("result taken twice: %+v, %w", again, err)
		}
		var names []string
		var asked, began time.Time
		for e, err := range t.Events(ctx, false) {
			if err != nil {
				return err
			}
			names = append(names, e.Name)
			switch e.Name {
			case "task_initialized":
				asked = e.Time
			case "work_started":
				if began.IsZero() {
					began = e.Time
				}
			}
		}
		direct = began.Equal(asked) // both are of one transaction
		if err := out.Encode(line{TID: t.TID(), Status: res.Status, Code: res.ReturnCode, Reason: strings.Join(names, " "), Output: string(res.Output)}); err != nil {
			return err
		}
	}
	close(stop)
	return <-served
}

// takeResult waits for the end of the task, says how it ended, and takes the
// result when that is out.
func takeResult(ctx context.Context, t *weft.Task, say func(any) error) error {
	var output text
	s, err := t.Output(ctx, &output, nil)
	if err != nil {
		return err
	}
	if err := say(ended(s, string(output))); err != nil {
		return err
	}
	return t.Discard(ctx)
}

// takeItems says how the items of a task ended, until the task has, and takes each
// result when that is out.
func takeItems(ctx context.Context, t *weft.Task, say func(any) error) error {
	for r, err := range t.Items(ctx) {
		if err != nil {
			return err
		}
		if err := say(line{TID: r.MessageID, Status: r.Status, Code: r.ReturnCode, Reason: r.Reason, Output: string(r.Output)}); err != nil {
			return err
		}
		if err := r.Discard(ctx); err != nil {
			return err
		}
	}
	return nil
}

// finish does what the call says to a task and says how the task ended.
func (c call) finish(ctx context.Context, t *weft.Task, say func(any) error) error {
	end := t.Stop
	switch c.Do {
	case "result":
		return takeResult(ctx, t, say)
	case "kill":
		end = t.Kill
	}
	s, err := end(ctx)
	if err != nil {
		return err
	}
	return say(ended(s, ""))
}

func ended(s *weft.TaskStatus, output string) line {
	return line{TID: s.TID, Status: s.Status, Code: s.ReturnCode, Reason: s.Error, Output: output}
}

// text collects what is written to it.
type text []byte

func (t *text) Write(p []byte) (int, error) { *t = append(*t, p...); return len(p), nil }

// playFamily is a task that has a child in a session of its own and a
// grandchild whose parent has gone. All three tell that they live, and then
// they wait.
func playFamily(tell string) error {
	if err := again(partChild, []string{tell, "escaped"}, &syscall.SysProcAttr{Setsid: true}).Start(); err != nil {
		return err
	}
	if err := again(partChild, []string{tell, "between"}, nil).Run(); err != nil {
		return err
	}
	return playChild(tell, "parent")
}

// playChild tells that it lives, and how it is called, and waits. The one
// between leaves a child instead.
func playChild(tell, name string) error {
	if name == "between" {
		return again(partChild, []string{tell, "orphan"}, &syscall.SysProcAttr{Setpgid: true}).Start()
	}
	f, err := os.OpenFile(tell, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.WriteString(name + " " + strconv.Itoa(os.Getpid()) + "\n"); err != nil {
		return err
	}
	<-time.After(time.Hour) // it is killed long before
	return nil
}

// again is this program, to be executed in the given part.
func again(part string, args []string, attr *syscall.SysProcAttr) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), partVariable+"="+part)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr // which it then holds open
	cmd.SysProcAttr = attr
	return cmd
}
