package ledger

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weft/broker"
	"weft/broker/sqlite"
	"weft/internal/proc"
	"weft/taskspec"
)

func TestSubmit(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	tid := p.submission(Submission{Spec: echo(), Item: "a \"b\"\n", Input: "in", Dir: "/home/ann", Env: EncodeEnv([]string{"A=1"})})
	got := p.task(tid)
	want := &Task{TID: tid, Name: "greet", Status: "created", Dir: "/home/ann", Input: "in", Env: got.Env, Created: at.UnixNano()}
	if diff := cmp.Diff(want, got, bare); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
	requests := p.bodies(Requests)
	if len(requests) != 1 {
		t.Fatalf("%d requests", len(requests))
	}
	var r struct {
		TaskSpec *taskspec.Spec `json:"taskspec"`
		Item     string         `json:"inbox_message"`
	}
	if err := json.Unmarshal([]byte(requests[0]), &r); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(echo(), r.TaskSpec, bare); diff != "" || r.Item != "a \"b\"\n" {
		t.Errorf("item %q; spec (-want +got):\n%s", r.Item, diff)
	}
	p.wantHistory(tid, Event{Event: "task_initialized", Status: "created"})
}

// A submission that fails leaves nothing, not even its environment.
func TestSubmitFails(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal, Options: broker.Options{MaxMessage: 1 << 10}})
	before := p.state()
	s := Submission{Spec: echo(), Item: strings.Repeat("x", 1<<10), Env: "A=1"}
	err := p.try(func(tx *broker.Tx) error { _, _, err := Submit(tx, s, at); return err })
	if !errors.Is(err, broker.ErrTooLarge) {
		t.Errorf("got error %v, want %v", err, broker.ErrTooLarge)
	}
	p.unchanged(before)
}

func TestMaxDepth(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	tid := p.submit()
	for depth := 1; depth <= MaxDepth; depth++ {
		tid = p.submission(Submission{Spec: echo(), Item: "item", Dir: p.root, Parent: tid})
		if got := p.task(tid).Depth; got != depth {
			t.Fatalf("depth is %d, want %d", got, depth)
		}
	}
	before := p.state()
	err := p.try(func(tx *broker.Tx) error {
		_, _, err := Submit(tx, Submission{Spec: echo(), Item: "item", Dir: p.root, Parent: tid}, at)
		return err
	})
	if !errors.Is(err, ErrDepth) || !strings.Contains(err.Error(), "32") {
		t.Errorf("got error %v, want %v", err, ErrDepth)
	}
	p.unchanged(before)
}

// A submission learns whether a manager will see it.
func TestManaged(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	managed := func() (managed bool) {
		p.update(func(tx *broker.Tx) (err error) {
			_, managed, err = Submit(tx, Submission{Spec: echo(), Item: "item", Dir: p.root}, at)
			return err
		})
		return managed
	}
	if managed() {
		t.Error("managed before there ever was a manager")
	}
	m := p.arrive(consumer)
	if !managed() {
		t.Error("not managed after a manager has come")
	}
	p.update(func(tx *broker.Tx) error { return m.Leave(tx, at) })
	if managed() {
		t.Error("managed after the manager has left")
	}
	p.arrive(proc.Identity{PID: 50, Ticks: 9, Boot: "boot"})
	if !managed() {
		t.Error("not managed after the next manager has come")
	}
}
