package manager

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"weft/broker"
	"weft/broker/sqlite"
	"weft/internal/ledger"
	"weft/taskspec"
)

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

func (p *project) submit(t *testing.T, parent string, argv ...any) (tid string) {
	t.Helper()
	s := &taskspec.Spec{Name: "x", Spec: taskspec.Work{Type: taskspec.KindCommand, ProcessTarget: argv[0].(string), Args: argv[1:]}}
	err := p.b.Update(t.Context(), func(tx *broker.Tx) (err error) {
		tid, _, err = ledger.Submit(tx, ledger.Submission{Spec: s, Item: "{}", Dir: p.root, Env: ledger.EncodeEnv(os.Environ()), Parent: parent}, time.Now())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return tid
}

func (p *project) wait(t *testing.T, ctx context.Context, tid string) *ledger.Task {
	t.Helper()
	w, err := p.b.Listen(ledger.QueuesOf(tid).Outbox)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for {
		r, err := p.b.Record(ctx, ledger.Kind, tid)
		if err != nil {
			t.Fatal(err)
		}
		l, err := ledger.Decode(r)
		if err != nil {
			t.Fatal(err)
		}
		if l.Status.Terminal() {
			return l
		}
		if err := w.Wait(ctx); err != nil {
			t.Fatalf("%s is %s: %v", tid, l.Status, err)
		}
	}
}

func TestX(t *testing.T) {
	p := newProject(t)
	m := New(Options{Root: p.root, Dir: p.dir, Broker: p.b, Durability: "normal", MaxMessage: broker.MaxMessageBytes,
		Executable: "/proc/self/exe", Build: build, Env: os.Environ(), MaxTasks: 2})
	done := make(chan error, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	go func() { done <- m.Run(context.Background()) }()
	var tids []string
	for range 20 {
		tids = append(tids, p.submit(t, "", "true"))
	}
	for _, tid := range tids {
		p.wait(t, ctx, tid)
	}
	m.Stop()
	t.Log(<-done)
}
func TestY(t *testing.T) {
	p := newProject(t)
	m := New(Options{Root: p.root, Dir: p.dir, Broker: p.b, Durability: "normal", MaxMessage: broker.MaxMessageBytes,
		Executable: "/proc/self/exe", Build: build, Env: os.Environ(), MaxTasks: 1})
	done := make(chan error, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	go func() { done <- m.Run(context.Background()) }()
	a := p.submit(t, "", "sleep", "8")
	for {
		r, _ := p.b.Record(ctx, ledger.Kind, a)
		if r.State == "running" { break }
		time.Sleep(10*time.Millisecond)
	}
	b := p.submit(t, a, "true")
	t0 := time.Now()
	p.wait(t, ctx, b)
	t.Log(time.Since(t0))
	m.Stop()
	t.Log(<-done)
}
