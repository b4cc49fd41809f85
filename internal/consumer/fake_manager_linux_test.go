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

	"golang.org/x/sys/unix"

	"weft/broker"
	"weft/broker/sqlite"
	"weft/internal/attempt"
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

// await waits for c and fails the test if that takes too long.
func await[T any](t testing.TB, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(waittest.Limit()):
		t.Fatalf("%s: nothing after %v", what, waittest.Limit())
		panic("unreachable")
	}
}

// report returns the next report of the consumer.
func (d *fakeManager) report() Report {
	d.Helper()
	return await(d, "wait for a report", d.reports)
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
	await(d, "wait for the end of the consumer", d.exited)
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

// A fifo is a named pipe by which a task reports its progress to a test.
type fifo struct {
	path string
	f    *os.File
}

func newFIFO(t testing.TB) *fifo {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	// Opened for both, it neither waits for a writer nor ends with one.
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return &fifo{path, f}
}

// readLine waits for a line that a task writes into the fifo.
func (g *fifo) readLine(t testing.TB) string {
	t.Helper()
	if err := g.f.SetReadDeadline(time.Now().Add(waittest.Limit())); err != nil {
		t.Fatal(err)
	}
	var line []byte
	for b := make([]byte, 1); ; line = append(line, b[0]) {
		if _, err := g.f.Read(b); err != nil {
			t.Fatalf("listen at the fifo: %v", err)
		}
		if b[0] == '\n' {
			return string(line)
		}
	}
}

// tryReadLine is readLine, if there is a line.
func (g *fifo) tryReadLine(t testing.TB) (line string, ok bool) {
	t.Helper()
	if !attempt.Unread(g.f) {
		return "", false
	}
	return g.readLine(t), true
}

// begun waits for a line that the task writes into the fifo. If the task ends before,
// begun returns its hand-off.
func (d *fakeManager) begun(g *fifo) (line string, h *ledger.HandOff) {
	d.Helper()
	h = d.unless(func() (ok bool) {
		line, ok = g.tryReadLine(d)
		return ok
	})
	return line, h
}

// unless polls until done returns true, or until the task has ended: then it returns its
// hand-off.
func (d *fakeManager) unless(done func() bool) (h *ledger.HandOff) {
	d.Helper()
	poll(d, func() bool {
		select {
		case r := <-d.reports:
			h = r.Finished
		default:
		}
		return h != nil || done()
	})
	return h
}

// open writes a line to the fifo, so that a task that waits for it continues.
func (g *fifo) open(t testing.TB) {
	t.Helper()
	if _, err := g.f.WriteString("go\n"); err != nil {
		t.Fatal(err)
	}
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
		j, err = ledger.Prepare(r, s.root, ms[0])
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

// poll polls until done returns true, where no event can be awaited.
func poll(t testing.TB, done func() bool) {
	t.Helper()
	for end := time.Now().Add(waittest.Limit()); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("nothing after %v", waittest.Limit())
		}
	}
}

// gone reports whether there is no process with this pid, which a task printed.
func gone(pid string) bool {
	_, err := os.Stat("/proc/" + strings.TrimSpace(pid))
	return errors.Is(err, os.ErrNotExist)
}
