package consumer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"weft/broker"
	"weft/broker/sqlite"
	"weft/internal/ledger"
	"weft/internal/proc"
	"weft/internal/role"
	"weft/internal/title"
	"weft/internal/waittest"
	"weft/monitor"
	"weft/taskspec"
)

// A fakeManager is a manager with one consumer, played by a test. The consumer is a real
// process, and so are its tasks.
type fakeManager struct {
	*testing.T
	root, dir string
	link      *ManagerLink
	cmd       *exec.Cmd
	self      proc.Identity
	reports   chan Report   // closed when the consumer has hung up
	exited    chan struct{} // closed when it has ended; then err says how
	err       error
}

func newFakeManager(t *testing.T) *fakeManager {
	t.Helper()
	root := t.TempDir()
	d := &fakeManager{T: t, root: root, dir: filepath.Join(root, ledger.Dir), reports: make(chan Report, 16), exited: make(chan struct{})}
	for _, dir := range []string{d.dir, filepath.Join(d.dir, "outputs")} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	ours, theirs, err := role.Pair()
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	d.cmd = &exec.Cmd{
		Path: "/proc/self/exe",
		Args: []string{"weft-consumer" + title.Pad()},
		// A process of the race detector sleeps for a second before it ends.
		Env:         []string{"PATH=" + os.Getenv("PATH"), "OWN=1", "GORACE=atexit_sleep_ms=0", role.Entry(role.Consumer)},
		Dir:         "/",
		ExtraFiles:  []*os.File{theirs},
		Stderr:      os.Stderr,
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	d.link = NewLink[Report, Order](ours)
	go func() {
		d.err = d.cmd.Wait()
		close(d.exited)
	}()
	go func() {
		defer close(d.reports)
		for {
			r, err := d.link.Receive()
			if err != nil {
				return
			}
			d.reports <- r
		}
	}()
	t.Cleanup(d.leave)
	if d.self, err = proc.Of(d.cmd.Process.Pid); err != nil {
		t.Fatal(err)
	}
	hello := d.report()
	if hello.Hello == nil || *hello.Hello != (Hello{Protocol: Protocol, Build: testBuild, Process: d.self}) {
		t.Fatalf("consumer began with %+v", hello)
	}
	return d
}

// leave ends the consumer. No process of it and its tasks may be left.
func (d *fakeManager) leave() {
	d.link.Close()
	select {
	case <-d.exited:
	case <-time.After(waittest.Limit()):
		d.Error("consumer has not ended")
		_ = d.cmd.Process.Kill()
		<-d.exited
	}
	for range d.reports {
	}
	tree := monitor.Tree{Session: d.cmd.Process.Pid, First: monitor.Process(d.self)}
	if left, err := tree.Members(); err != nil || len(left) > 0 {
		d.Errorf("processes are left: %v, %v", left, err)
		_ = tree.Signal(syscall.SIGKILL)
	}
}

// report returns the next report of the consumer.
func (d *fakeManager) report() Report {
	d.Helper()
	return waittest.Await(d, "wait for a report", d.reports)
}

func (d *fakeManager) send(orders ...Order) {
	d.Helper()
	for _, o := range orders {
		if err := d.link.Send(o); err != nil {
			d.Fatal(err)
		}
	}
}

// tasks counts the assignments of this process. Ids are unique: so are the names of cgroups.
var tasks atomic.Int64

// task returns an assignment with an id of its own.
func (d *fakeManager) task(argv ...string) *ledger.Assignment {
	return &ledger.Assignment{
		TID: fmt.Sprint(1_763_740_800_000_000_000 + (os.Getpid()<<16+int(tasks.Add(1)))*broker.Grain), Epoch: 1, Name: "greet", Root: d.root, WeftDir: d.dir,
		Argv: argv, Dir: d.root, Work: taskspec.Work{StopGrace: new(waittest.Limit())}, MaxMessage: broker.MaxMessageBytes, Durability: "normal",
	}
}

// shell returns a task that runs a script; args are its $1 and so on.
func (d *fakeManager) shell(script string, args ...string) *ledger.Assignment {
	return d.task(append([]string{"sh", "-c", script, "sh"}, args...)...)
}

// permit is the permit to start.
func permit() Order { return Order{Start: &Permit{Message: "42"}} }

// finished waits for the end of the task and returns its hand-off.
func (d *fakeManager) finished() *ledger.HandOff {
	d.Helper()
	for {
		switch r := d.report(); {
		case r.Finished != nil:
			return r.Finished
		case r.Started == nil && r.Used == nil:
			d.Fatalf("consumer says %+v", r)
		}
	}
}

// run runs a task from its assignment to its acknowledgement.
func (d *fakeManager) run(a *ledger.Assignment) *ledger.HandOff {
	d.Helper()
	d.send(Order{Task: a}, permit())
	h := d.finished()
	if h.TID != a.TID || h.Epoch != a.Epoch || h.Seq != 1 {
		d.Errorf("hand-off is of %s, epoch %d, seq %d", h.TID, h.Epoch, h.Seq)
	}
	d.send(Order{Ack: h.Seq})
	return h
}

// ended waits until the consumer has ended.
func (d *fakeManager) ended() error {
	d.Helper()
	waittest.Await(d, "wait for the end of the consumer", d.exited)
	return d.err
}

// outputs returns the names of the files that tasks have left.
func (d *fakeManager) outputs() (names []string) {
	d.Helper()
	entries, err := os.ReadDir(filepath.Join(d.dir, "outputs"))
	if err != nil {
		d.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// newFIFO makes a named pipe by which a task reports its progress to a test.
func newFIFO(t testing.TB) *waittest.FIFO {
	t.Helper()
	return waittest.NewFIFO(t, filepath.Join(t.TempDir(), "fifo"))
}

// begun waits for a line that the task writes into the fifo. If the task ends before,
// begun returns its hand-off.
func (d *fakeManager) begun(g *waittest.FIFO) (line string, h *ledger.HandOff) {
	d.Helper()
	h = d.unless(func() (ok bool) {
		line, ok = g.TryRead()
		return ok
	})
	return line, h
}

// unless polls until done returns true, or until the task has ended: then it returns its
// hand-off.
func (d *fakeManager) unless(done func() bool) (h *ledger.HandOff) {
	d.Helper()
	waittest.Until(d, "what the test waits for", func() bool {
		select {
		case r := <-d.reports:
			h = r.Finished
		default:
		}
		return h != nil || done()
	})
	return h
}

// A store is the store of the project.
type store struct {
	*fakeManager
	b *broker.Broker
}

func (d *fakeManager) store() *store {
	d.Helper()
	b, err := sqlite.Open(d.dir, sqlite.Options{Durability: sqlite.Normal})
	if err != nil {
		d.Fatal(err)
	}
	d.Cleanup(func() { b.Close() })
	return &store{d, b}
}

func (s *store) update(fn func(tx *broker.Tx) error) {
	s.Helper()
	if err := s.b.Update(context.Background(), fn); err != nil {
		s.Fatal(err)
	}
}

// submit submits a shell task and returns the job and the assignment that a manager would
// make of it.
func (s *store) submit(script string, args ...string) (*ledger.Job, *ledger.Assignment) {
	s.Helper()
	spec := &taskspec.Spec{Name: "greet", Work: taskspec.Work{Type: taskspec.KindCommand, ProcessTarget: "sh", Args: []any{"-c", script, "sh"}}}
	for _, arg := range args {
		spec.Args = append(spec.Args, arg)
	}
	return s.submitSpec(spec)
}

// submitSpec is submit for any spec.
func (s *store) submitSpec(spec *taskspec.Spec) (*ledger.Job, *ledger.Assignment) {
	s.Helper()
	var tid string
	s.update(func(tx *broker.Tx) (err error) {
		tid, _, err = ledger.Submit(tx, ledger.Submission{Spec: spec, Item: "{}", Dir: s.root}, time.Now())
		return err
	})
	id, err := broker.ParseID(tid)
	if err != nil {
		s.Fatal(err)
	}
	var j *ledger.Job
	err = s.b.View(context.Background(), func(r broker.Reader) error {
		ms, err := r.Messages(ledger.Requests, broker.Select{ID: id})
		if err == nil && len(ms) == 0 {
			ms, err = r.Messages(ledger.SlotlessRequests, broker.Select{ID: id})
		}
		if err != nil {
			return err
		}
		j, err = ledger.Prepare(r, s.root, ledger.Ready{Request: ms[0]})
		return err
	})
	if err != nil || j.Refused() != "" {
		s.Fatalf("%v, %s", err, j.Refused())
	}
	a := s.task(j.Argv...)
	a.TID = tid
	return j, a
}

// dispatch commits the reservation of a job for a consumer.
func (s *store) dispatch(j *ledger.Job, consumer proc.Identity) Order {
	s.Helper()
	var t *ledger.Task
	s.update(func(tx *broker.Tx) (err error) {
		t, err = ledger.Dispatch(tx, j, consumer, time.Now())
		return err
	})
	return Order{Start: &Permit{Message: t.Message.String()}}
}

// record returns the record of a task.
func (s *store) record(tid string) *ledger.Task {
	s.Helper()
	r, err := s.b.Record(context.Background(), ledger.Kind, tid)
	if err != nil {
		s.Fatal(err)
	}
	t, err := ledger.Decode(r)
	if err != nil {
		s.Fatal(err)
	}
	return t
}

// wantEnd fails the test unless the task has ended with this outcome and output.
func (s *store) wantEnd(tid string, want taskspec.Outcome, output ...string) {
	s.Helper()
	t := s.record(tid)
	if t.Status != want.Status || t.Error != want.Error {
		s.Errorf("task %s is %s, %q; want %s, %q", tid, t.Status, t.Error, want.Status, want.Error)
	}
	var got []string
	for m, err := range s.b.Queue(ledger.QueuesOf(tid).Outbox).Messages(context.Background(), broker.Select{}) {
		if err != nil {
			s.Fatal(err)
		}
		got = append(got, m.Body)
	}
	if !slices.Equal(output, got) {
		s.Errorf("results of task %s are %q, want %q", tid, got, output)
	}
}

// gone reports whether there is no process with this pid, which a task printed.
func gone(pid string) bool {
	_, err := os.Stat("/proc/" + strings.TrimSpace(pid))
	return errors.Is(err, os.ErrNotExist)
}
