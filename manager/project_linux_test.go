package manager

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"weft/broker"
	"weft/broker/sqlite"
	"weft/internal/ledger"
	"weft/internal/waittest"
	"weft/taskspec"
)

// A project is a real store and the folders that a manager needs.
type project struct {
	root, dir string
	b         *broker.Broker
}

func newProject(t *testing.T) *project {
	t.Helper()
	root := t.TempDir()
	dir := filepath.Join(root, ledger.Dir)
	for _, d := range []string{dir, filepath.Join(dir, "outputs"), filepath.Join(dir, "logs")} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	b, err := sqlite.Open(dir, sqlite.Options{Durability: sqlite.Normal})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return &project{root, dir, b}
}

func (p *project) listen(t *testing.T, queues ...string) *broker.Waiter {
	t.Helper()
	w, err := p.b.Listen(queues...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

// A tenure is a manager at work.
type tenure struct {
	stop   func()
	cancel context.CancelCauseFunc
	done   chan struct{} // closed when it has left; then err says how
	err    error
}

// manage runs a manager that leaves at the end of the test at the latest.
func (p *project) manage(t *testing.T, edit func(*Options)) *tenure {
	t.Helper()
	ready := make(chan struct{}, 100)
	o := Options{
		Root: p.root, Dir: p.dir, Broker: p.b, Durability: "normal", MaxMessage: broker.MaxMessageBytes,
		Executable: "/proc/self/exe", Build: build, Env: append(os.Environ(), "GORACE=atexit_sleep_ms=0"),
		MaxTasks: 2, Embedded: true, Ready: func() { ready <- struct{}{} },
	}
	if edit != nil {
		edit(&o)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	stop := make(chan struct{})
	o.Stop = stop
	m := &tenure{stop: sync.OnceFunc(func() { close(stop) }), cancel: cancel, done: make(chan struct{})}
	go func() {
		m.err = Run(ctx, o)
		close(m.done)
	}()
	t.Cleanup(func() {
		m.stop()
		m.left(t)
		cancel(nil)
	})
	select {
	case <-ready:
	case <-m.done:
	case <-time.After(waittest.Limit()):
		t.Fatal("the manager is not ready")
	}
	return m
}

// left waits until the manager has left.
func (m *tenure) left(t *testing.T) error {
	t.Helper()
	select {
	case <-m.done:
	case <-time.After(waittest.Limit()):
		t.Fatal("the manager has not left")
	}
	return m.err
}

// submit submits a shell task. parent is the task that does so, or empty.
func (p *project) submit(t *testing.T, parent, script string, args ...string) (tid string) {
	t.Helper()
	s := &taskspec.Spec{Name: "greet", Work: taskspec.Work{Type: taskspec.KindCommand, ProcessTarget: "sh", Args: []any{"-c", script, "sh"}}}
	for _, arg := range args {
		s.Args = append(s.Args, arg)
	}
	return p.submission(t, ledger.Submission{Spec: s, Item: "{}", Dir: p.root, Env: ledger.EncodeEnv(os.Environ()), Parent: parent})
}

func (p *project) submission(t *testing.T, l ledger.Submission) (tid string) {
	t.Helper()
	err := p.b.Update(t.Context(), func(tx *broker.Tx) (err error) {
		tid, _, err = ledger.Submit(tx, l, time.Now())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return tid
}

func (p *project) write(t *testing.T, queue, body string) string {
	t.Helper()
	id, err := p.b.Queue(queue).Write(t.Context(), body)
	if err != nil {
		t.Fatal(err)
	}
	return id.String()
}

func (p *project) task(t *testing.T, tid string) *ledger.Task {
	t.Helper()
	r, err := p.b.Record(context.Background(), ledger.Kind, tid)
	if err != nil {
		t.Fatal(err)
	}
	l, err := ledger.Decode(r)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// ended waits for the end of a task that a client has submitted.
func (p *project) ended(t *testing.T, tid string) *ledger.Task {
	t.Helper()
	ctx := waittest.Context(t)
	w := p.listen(t, ledger.QueuesOf(tid).Outbox)
	for {
		l := p.task(t, tid)
		if l.Status.Terminal() {
			return l
		}
		if err := w.Wait(ctx); err != nil {
			t.Fatalf("task %s is %s: %v", tid, l.Status, err)
		}
	}
}

// wantEnd waits for the end of a task and fails the test unless it is this.
func (p *project) wantEnd(t *testing.T, tid string, want taskspec.Outcome) *ledger.Task {
	t.Helper()
	got := p.ended(t, tid)
	if got.Status != want.Status || got.Error != want.Error {
		t.Errorf("task %s is %s, %q; want %s, %q", tid, got.Status, got.Error, want.Status, want.Error)
	}
	return got
}

// currentManager is the record of the latest manager.
func (p *project) currentManager(t *testing.T) *ledger.Manager {
	t.Helper()
	r, err := p.b.Record(t.Context(), ledger.ManagerKind, ledger.CurrentManager)
	if err != nil {
		t.Fatal(err)
	}
	m, err := ledger.DecodeManager(r)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// newGate makes a named pipe by which a task and a test wait for each other.
func newGate(t *testing.T) *waittest.FIFO {
	t.Helper()
	return waittest.NewFIFO(t, filepath.Join(t.TempDir(), "gate"))
}
