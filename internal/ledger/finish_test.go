package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weft/broker"
	"weft/broker/sqlite"
	"weft/internal/waittest"
	"weft/taskspec"
)

// An end is a row of the contract's table of ends.
type end struct {
	outcome taskspec.Outcome
	status  taskspec.Status
	code    *int
	signal  string
	err     string
	event   string
	decides string // which policy: none, error or stop
}

func endings() map[string]end {
	return map[string]end{
		"exit 0":         {taskspec.Exited(0, ""), "completed", new(0), "", "", "work_completed", "none"},
		"exit N":         {taskspec.Exited(7, "no such file\n"), "failed", new(7), "", "command exited with 7: no such file", "work_failed", "error"},
		"signal":         {taskspec.Signaled(11, "SIGSEGV"), "failed", new(139), "SIGSEGV", "command was killed by SIGSEGV", "work_failed", "error"},
		"cannot execute": {taskspec.NotStarted(false, "x: permission denied"), "failed", new(126), "", "x: permission denied", "work_failed", "error"},
		"not found":      {taskspec.NotStarted(true, "x: command not found"), "failed", new(127), "", "x: command not found", "work_failed", "error"},
		"function error": {taskspec.Failed("bad width"), "failed", new(1), "", "bad width", "work_failed", "error"},
		"timeout":        {taskspec.TimedOut(30 * time.Second), "timeout", new(124), "", "timed out after 30s", "work_timeout", "error"},
		"limit":          {taskspec.Limited("memory 140.2 MB > 100 MB", "sampled"), "killed", new(137), "", "memory 140.2 MB > 100 MB", "work_limit_violation", "error"},
		"STOP":           {taskspec.Stopped(), "cancelled", new(143), "", "stopped", "work_cancelled", "stop"},
		"KILL":           {taskspec.Killed(), "killed", new(137), "", "killed", "work_killed", "stop"},
		"interrupted":    {taskspec.Interrupted(), "failed", nil, "", "interrupted: the program that ran it ended", "work_interrupted", "error"},
		"lost":           {taskspec.Lost(), "failed", nil, "", "lost: consumer process died", "work_lost", "error"},
	}
}

// TestEndings takes a task to every end, under every policy for its message.
func TestEndings(t *testing.T) {
	t.Parallel()
	// What a policy leaves where. The policy that is not asked is another one, so
	// that a mix-up shows.
	left := map[taskspec.Policy]struct{ reserved, inbox []string }{
		taskspec.PolicyKeep:    {reserved: []string{"item"}},
		taskspec.PolicyRequeue: {inbox: []string{"item"}},
		taskspec.PolicyClear:   {},
	}
	others := map[taskspec.Policy]taskspec.Policy{
		taskspec.PolicyKeep: taskspec.PolicyClear, taskspec.PolicyRequeue: taskspec.PolicyKeep, taskspec.PolicyClear: taskspec.PolicyRequeue,
	}
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	for name, e := range endings() {
		for policy, want := range left {
			t.Run(fmt.Sprintf("%s/%s", name, policy), func(t *testing.T) {
				p := &project{t, p.b, p.root}
				edit := policies(policy, others[policy])
				switch e.decides {
				case "stop":
					edit = policies(others[policy], policy)
				case "none":
					edit, want = policies(policy, policy), left[taskspec.PolicyClear]
				}
				tid := p.submit(edit)
				message := p.run(tid)
				q := QueuesOf(tid)
				for _, name := range []string{q.Inbox, q.ControlIn, q.ControlOut} {
					p.write(name, "left over")
				}
				wantTask := p.task(tid)
				wantTask.Status, wantTask.ReturnCode, wantTask.Signal, wantTask.Error = e.status, e.code, e.signal, e.err
				wantTask.LimitMeans, wantTask.Completed = e.outcome.LimitMeans, at.UnixNano()
				wantEnd := Event{Event: e.event, Status: e.status, ReturnCode: e.code, Error: e.err, LimitMeans: e.outcome.LimitMeans}
				var outbox []string
				if name == "lost" {
					p.update(func(tx *broker.Tx) error { return MarkLost(tx, tid, 1, at) })
				} else {
					h := handOff(tid, e.outcome)
					if err := p.finish(h); err != nil {
						t.Fatal(err)
					}
					result, err := p.b.Queue(q.Outbox).Peek(ctx)
					if err != nil {
						t.Fatal(err)
					}
					wantTask.Result = result.ID
					wantTask.Seq, wantTask.Process, wantTask.Output, wantTask.Usage = 1, process, h.Output, h.Usage
					wantEnd.Bytes, wantEnd.Usage, wantEnd.TaskPID = new(int64(6)), &h.Usage, process.PID
					outbox = []string{"result"}
				}
				if diff := cmp.Diff(wantTask, p.task(tid), bare); diff != "" {
					t.Errorf("record (-want +got):\n%s", diff)
				}
				queues := map[string][]string{q.Reserved: want.reserved, q.Inbox: want.inbox, q.Outbox: outbox, q.ControlIn: nil, q.ControlOut: nil}
				for name, bodies := range queues {
					if diff := cmp.Diff(bodies, p.bodies(name), bare); diff != "" {
						t.Errorf("%s (-want +got):\n%s", name, diff)
					}
				}
				shown := must(json.Marshal(p.shownSpec(wantTask)))
				p.wantHistory(tid,
					Event{Event: "task_initialized", Status: "created"},
					Event{Event: "task_spawning", Status: "spawning", TaskSpec: shown},
					Event{Event: "work_started", Status: "running", TaskSpec: shown, MessageID: message.String()},
					wantEnd.with(shown))
			})
		}
	}
}

func (e Event) with(spec json.RawMessage) Event {
	e.TaskSpec = spec
	return e
}

// wantHistory compares all events of a task. What is the same in each is added
// to those wanted.
func (p *project) wantHistory(tid string, want ...Event) {
	p.Helper()
	for i := range want {
		want[i].TID, want[i].TIDShort, want[i].Timestamp = tid, tid[9:], at.UnixNano()
	}
	if diff := cmp.Diff(want, p.history(tid), bare); diff != "" {
		p.Errorf("events (-want +got):\n%s", diff)
	}
}

// What a hand-off says is applied once, and never to a task that has ended
// otherwise or belongs to another attempt.
func TestFinishOnce(t *testing.T) {
	t.Parallel()
	completed := taskspec.Exited(0, "")
	finish := func(h *HandOff) func(*broker.Tx) error {
		return func(tx *broker.Tx) error { return Finish(tx, h, nil) }
	}
	lose := func(tid string, epoch int) func(*broker.Tx) error {
		return func(tx *broker.Tx) error { return MarkLost(tx, tid, epoch, at) }
	}
	later := func(edit func(*HandOff)) func(string) func(*broker.Tx) error {
		return func(tid string) func(*broker.Tx) error {
			h := handOff(tid, taskspec.Exited(1, ""))
			edit(h)
			return finish(h)
		}
	}
	first := func(tid string) func(*broker.Tx) error { return finish(handOff(tid, completed)) }
	lost := func(tid string) func(*broker.Tx) error { return lose(tid, 1) }
	none := func(string) func(*broker.Tx) error { return func(*broker.Tx) error { return nil } }
	paused := func(epoch int) func(string) func(*broker.Tx) error {
		return func(tid string) func(*broker.Tx) error {
			return func(tx *broker.Tx) error { return NotePaused(tx, tid, epoch, true) }
		}
	}
	progress := func(epoch int) func(string) func(*broker.Tx) error {
		return func(tid string) func(*broker.Tx) error {
			return func(tx *broker.Tx) error { return NoteProgress(tx, tid, epoch, Progress{Done: 1}) }
		}
	}
	for name, test := range map[string]struct {
		before, repeat func(tid string) func(*broker.Tx) error
		want           error
	}{
		"the same again":                   {first, first, nil},
		"another end under the same seq":   {first, later(func(*HandOff) {}), nil},
		"a higher seq after the end":       {first, later(func(h *HandOff) { h.Seq = 2 }), ErrStale},
		"an older epoch while running":     {none, later(func(h *HandOff) { h.Epoch = 0 }), ErrStale},
		"a newer epoch while running":      {none, later(func(h *HandOff) { h.Epoch = 2 }), ErrStale},
		"an older epoch after the end":     {first, later(func(h *HandOff) { h.Epoch = 0 }), ErrStale},
		"an end after the loss":            {lost, first, ErrStale},
		"a loss after the end":             {first, lost, nil},
		"the loss again":                   {lost, lost, nil},
		"the loss of an older epoch":       {none, func(tid string) func(*broker.Tx) error { return lose(tid, 0) }, nil},
		"the loss of a newer epoch":        {none, func(tid string) func(*broker.Tx) error { return lose(tid, 2) }, nil},
		"the process of an older epoch":    {none, note(0), nil},
		"the process of a task that ended": {first, note(1), nil},
		"the pause of an older epoch":      {none, paused(0), nil},
		"the pause of a newer epoch":       {none, paused(2), nil},
		"the pause of a task that ended":   {first, paused(1), nil},
		"the progress of an older epoch":   {none, progress(0), nil},
		"the progress of a newer epoch":    {none, progress(2), nil},
		"the progress of one that ended":   {first, progress(1), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
			tid := p.submit()
			p.run(tid)
			p.update(test.before(tid))
			before := p.state()
			if err := p.try(test.repeat(tid)); !errors.Is(err, test.want) {
				t.Errorf("got error %v, want %v", err, test.want)
			}
			p.unchanged(before)
		})
	}
}

func note(epoch int) func(string) func(*broker.Tx) error {
	return func(tid string) func(*broker.Tx) error {
		return func(tx *broker.Tx) error { return NoteProcess(tx, tid, epoch, process) }
	}
}

func TestUnknownTask(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	const tid = "1763740800000000000"
	before := p.state()
	for name, fn := range map[string]func(*broker.Tx) error{
		"finish": func(tx *broker.Tx) error { return Finish(tx, handOff(tid, taskspec.Exited(0, "")), nil) },
		"lose":   func(tx *broker.Tx) error { return MarkLost(tx, tid, 1, at) },
		"end":    func(tx *broker.Tx) error { _, err := End(tx, tid, CommandStop, at); return err },
		"note":   func(tx *broker.Tx) error { return NoteProcess(tx, tid, 1, process) },
		"usage":  func(tx *broker.Tx) error { return NoteUsage(tx, tid, 1, Usage{MemoryMB: 1}, at) },
	} {
		if err := p.try(fn); !errors.Is(err, broker.ErrNotFound) {
			t.Errorf("%s: got error %v, want %v", name, err, broker.ErrNotFound)
		}
	}
	p.unchanged(before)
}

// A hand-off that cannot be recorded changes nothing: all or nothing.
func TestFinishFails(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	tid := p.submit()
	p.run(tid)
	before := p.state()
	h := handOff(tid, taskspec.Exited(0, ""))
	h.Result = []byte("\xff")
	if err := p.finish(h); !errors.Is(err, broker.ErrBody) {
		t.Errorf("got error %v, want %v", err, broker.ErrBody)
	}
	p.unchanged(before)
}

func TestResultForms(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	type object = map[string]any
	for name, test := range map[string]struct {
		output  Output
		result  []byte
		message string // or, if it is empty,
		fields  func(tid string) object
		spilled bool
	}{
		"text":        {output: Output{Form: FormText, Size: 3}, result: []byte("a\x00\n"), message: "a\x00\n"},
		"no output":   {output: Output{Form: FormText}},
		"like a JSON": {output: Output{Form: FormText, Size: 24}, result: []byte(`{"type":"large_output"}` + "\n"), message: `{"type":"large_output"}` + "\n"},
		"bytes": {
			output: Output{Form: FormBytes, Size: 2}, result: []byte("\xff\xfe"),
			fields: func(string) object { return object{"type": "bytes", "encoding": "base64", "data": "//4="} },
		},
		"file": {
			output: Output{Form: FormFile, Size: 3 << 20}, spilled: true,
			fields: func(tid string) object {
				return object{"type": "large_output", "path": ".weft/outputs/" + tid + ".1.out", "size": 3.0 * (1 << 20),
					"size_mb": 3.0, "sha256": "d1", "truncated_preview": "once <upon>"}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := &project{t, p.b, p.root}
			tid := p.submit()
			p.run(tid)
			h := handOff(tid, taskspec.Exited(0, ""))
			h.Output, h.Result = test.output, test.result
			if test.spilled {
				h.Output.Digest, h.Preview = "d1", "once <upon>"
			}
			h.Output.Stderr, h.Output.StderrSize = []byte("\xffend"), 70_000
			if err := p.finish(h); err != nil {
				t.Fatal(err)
			}
			bodies := p.bodies(QueuesOf(tid).Outbox)
			if len(bodies) != 1 {
				t.Fatalf("%d results", len(bodies))
			}
			if test.fields == nil {
				if bodies[0] != test.message {
					t.Errorf("result is %q, want %q", bodies[0], test.message)
				}
			} else {
				var got object
				if err := json.Unmarshal([]byte(bodies[0]), &got); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(test.fields(tid), got, bare); diff != "" {
					t.Errorf("result (-want +got):\n%s", diff)
				}
			}
			if got := p.task(tid).Output; !cmp.Equal(h.Output, got) || !got.StderrTruncated() {
				t.Errorf("record says %+v, want %+v", got, h.Output)
			}
			spilled := 0
			for _, e := range p.history(tid) {
				if e.Event == "output_spilled" {
					spilled++
					if e.Status != "running" || *e.Bytes != h.Output.Size {
						t.Errorf("event %+v", e)
					}
				}
			}
			if spilled != btoi(test.spilled) {
				t.Errorf("%d events say that the output was spilled", spilled)
			}
		})
	}
}

// cleanup_on_exit: false leaves what is in the queues.
func TestWithoutCleanup(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	tid := p.submit(func(s *taskspec.Spec) { s.CleanupOnExit = new(false) })
	p.run(tid)
	q := QueuesOf(tid)
	for _, name := range []string{q.Inbox, q.ControlIn, q.ControlOut} {
		p.write(name, "left over")
	}
	if err := p.finish(handOff(tid, taskspec.Exited(0, ""))); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{q.Inbox, q.ControlIn, q.ControlOut} {
		if diff := cmp.Diff([]string{"left over"}, p.bodies(name), bare); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// A task may be given away while its request or its spec nearly fills a
// message: the events, which are a little larger, must not hold it up.
func TestSpecThatFillsAMessage(t *testing.T) {
	t.Parallel()
	const limit = 4 << 10
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal, Options: broker.Options{MaxMessage: limit}})
	s := echo()
	body, err := json.Marshal(request{Spec: must(json.Marshal(s)), Item: json.RawMessage(`"item"`)})
	if err != nil {
		t.Fatal(err)
	}
	s.Description = strings.Repeat("d", limit-len(body)-len(`"description":"",`))
	tid := p.submission(Submission{Spec: s, Item: "item", Dir: p.root})
	p.run(tid)
	if err := p.finish(handOff(tid, taskspec.Exited(0, ""))); err != nil {
		t.Fatal(err)
	}
	p.wantHistory(tid,
		Event{Event: "task_initialized", Status: "created"},
		Event{Event: "task_spawning", Status: "spawning"},
		Event{Event: "work_started", Status: "running", MessageID: p.task(tid).Message.String()},
		Event{Event: "work_completed", Status: "completed", ReturnCode: new(0), TaskPID: process.PID, Bytes: new(int64(6)), Usage: &Usage{CPUSeconds: 0.25}})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// The waiters of a task wait for its outbox; each end rings it, with or
// without a result.
func TestEndRings(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	for name, ending := range map[string]func(tid string) error{
		"finish": func(tid string) error { p.run(tid); return p.finish(handOff(tid, taskspec.Exited(0, ""))) },
		"lose": func(tid string) error {
			p.run(tid)
			return p.try(func(tx *broker.Tx) error { return MarkLost(tx, tid, 1, at) })
		},
		"end": func(tid string) error {
			return p.try(func(tx *broker.Tx) error { _, err := End(tx, tid, CommandStop, at); return err })
		},
		"refuse": func(tid string) error {
			j := p.prepare(tid)
			j.refused = "it cannot run"
			return p.try(func(tx *broker.Tx) error { return Refuse(tx, j, at) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			tid := p.submit()
			w, err := p.b.Listen(QueuesOf(tid).Outbox)
			if err != nil {
				t.Fatal(err)
			}
			defer w.Close()
			if err := ending(tid); err != nil {
				t.Fatal(err)
			}
			select {
			case <-w.C():
			case <-time.After(waittest.Limit()):
				t.Error("nobody rang")
			}
		})
	}
}
