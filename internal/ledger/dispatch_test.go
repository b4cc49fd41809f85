package ledger

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weft/broker"
	"weft/broker/sqlite"
	"weft/taskspec"
)

func TestPrepare(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	tid := p.submission(Submission{
		Spec: echo(func(s *taskspec.Spec) {
			s.Args = []any{"-n", json.Number("1.50")}
			s.Env = map[string]string{"TOKEN": "secret"}
		}),
		Item:  `{"args":["last",2],"stdin":"line\n"}`,
		Input: "a1", Dir: "/home/ann", Env: EncodeEnv([]string{"HOME=/home/ann"}),
	})
	j := p.prepare(tid)
	want := &Job{
		Assignment: Assignment{
			TID: tid, Epoch: 1, Name: "greet", Argv: []string{"echo", "-n", "1.50", "last", "2"}, Stdin: "line\n", Input: "a1",
			Dir: "/home/ann", Env: p.task(tid).Env, Work: j.Work, Root: p.root,
		},
		Spec: j.Spec, item: `{"args":["last",2],"stdin":"line\n"}`,
	}
	if diff := cmp.Diff(want, j, cmp.AllowUnexported(Job{}), bare); diff != "" {
		t.Errorf("job (-want +got):\n%s", diff)
	}
	before := p.task(tid)
	j.describe(before)
	resolved := p.shownSpec(before)
	if resolved.TID != tid || resolved.WeftContext != p.root || resolved.WorkingDir != "/home/ann" || *resolved.StopGrace != 5*time.Second {
		t.Errorf("shown spec is %s", must(json.Marshal(resolved)))
	}
	if j.Work.Env["TOKEN"] != "secret" || j.Work.ErrorPolicy() != taskspec.PolicyKeep {
		t.Errorf("work is %+v", j.Work)
	}
}

// A task runs where its spec says, seen from where its submitter is.
func TestDirectory(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	for _, test := range []struct{ spec, submitter, want string }{
		{"", "/home/ann", "/home/ann"},
		{"sub", "/home/ann", "/home/ann/sub"},
		{"../bob", "/home/ann", "/home/bob"},
		{"/abs", "/home/ann", "/abs"},
		{"", "", p.root},
		{"sub", "", filepath.Join(p.root, "sub")},
	} {
		s := echo(func(s *taskspec.Spec) { s.WorkingDir = test.spec })
		tid := p.submission(Submission{Spec: s, Item: "{}", Dir: test.submitter})
		j := p.prepare(tid)
		p.run(tid)
		if says := p.shownSpec(p.task(tid)).WorkingDir; j.Dir != test.want || says != test.want {
			t.Errorf("working_dir %q of a submitter in %q: task runs in %q and says %q, want %q", test.spec, test.submitter, j.Dir, says, test.want)
		}
	}
}

// An inbox_message may be any JSON; the reserved message is what it stands for.
func TestItems(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	spec := string(must(json.Marshal(echo())))
	for name, test := range map[string]struct{ field, reserved, stdin string }{
		"none":        {``, `{}`, ``},
		"null":        {`,"inbox_message":null`, `{}`, ``},
		"text":        {`,"inbox_message":"a\nb"`, "a\nb", "a\nb"},
		"empty text":  {`,"inbox_message":""`, ``, ``},
		"item":        {`,"inbox_message":{"stdin":"x"}`, `{"stdin":"x"}`, `x`},
		"item, text":  {`,"inbox_message":"{\"stdin\":\"x\"}"`, `{"stdin":"x"}`, `x`},
		"other JSON":  {`,"inbox_message":[1, 2]`, `[1, 2]`, `[1, 2]`},
		"JSON number": {`,"inbox_message":12345678901234567890`, `12345678901234567890`, `12345678901234567890`},
	} {
		t.Run(name, func(t *testing.T) {
			tid := p.write(Requests, `{"taskspec":`+spec+test.field+`}`).String()
			j := p.prepare(tid)
			if j.Refused() != "" || j.Stdin != test.stdin {
				t.Errorf("refused %q, standard input %q, want %q", j.Refused(), j.Stdin, test.stdin)
			}
			p.run(tid)
			if diff := cmp.Diff([]string{test.reserved}, p.bodies(QueuesOf(tid).Reserved), bare); diff != "" {
				t.Errorf("reserved (-want +got):\n%s", diff)
			}
		})
	}
}

// A request that was written by hand has no record. It becomes a task that
// runs in the project's root with the manager's environment.
func TestRequestByHand(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	spec := string(must(json.Marshal(echo())))
	for name, body := range map[string]string{"bare spec": spec, "request": `{"taskspec":` + spec + `}`} {
		t.Run(name, func(t *testing.T) {
			p := &project{t, p.b, p.root}
			tid := p.write(Requests, body).String()
			if j := p.prepare(tid); j.Dir != p.root || j.Env != "" || j.Slotless {
				t.Errorf("job is %+v", j)
			}
			message := p.run(tid)
			got := p.task(tid)
			want := &Task{
				TID: tid, Name: "greet", Status: "running", Spec: got.Spec, Root: taskspec.RawString(p.root), NoItem: true, Epoch: 1, Consumer: consumer,
				Message: message, Created: at.UnixNano(), Started: at.UnixNano(),
			}
			if diff := cmp.Diff(want, got, bare); diff != "" {
				t.Errorf("record (-want +got):\n%s", diff)
			}
			if err := p.finish(handOff(tid, taskspec.Exited(0, ""))); err != nil {
				t.Error(err)
			}
		})
	}
}

// elsewhere asks for what is not supported.
func elsewhere(s *taskspec.Spec) { s.IO.Control = map[string]string{"other": "c"} }

// badRequests are bodies that nobody can run, and what is said of them.
func badRequests() map[string]struct{ body, reason, name string } {
	spec := string(must(json.Marshal(echo())))
	unsupported := string(must(json.Marshal(echo(elsewhere))))
	return map[string]struct{ body, reason, name string }{
		"empty":               {"", "request is not a JSON object: ", ""},
		"not JSON":            {"echo hello", "request is not a JSON object: ", ""},
		"not an object":       {"[1]", "request is not a JSON object: ", ""},
		"null":                {"null", "invalid taskspec: ", ""},
		"two values":          {spec + spec, "request is not a JSON object: ", ""},
		"empty object":        {"{}", "invalid taskspec: name: ", ""},
		"spec is null":        {`{"taskspec":null}`, "invalid taskspec: ", ""},
		"spec is no object":   {`{"taskspec":"echo"}`, "invalid taskspec: ", ""},
		"spec is invalid":     {`{"taskspec":{"name":"x","spec":{"type":"command"}}}`, "invalid taskspec: spec.process_target: ", ""},
		"bare spec, unknown":  {strings.Replace(spec, `"name"`, `"nmae":"x","name"`, 1), "invalid taskspec: nmae: ", ""},
		"request, unknown":    {`{"taskspec":` + spec + `,"inbox_mesage":"x"}`, `request has an unknown field "inbox_mesage"`, ""},
		"request, other case": {`{"TaskSpec":` + spec + `}`, "invalid taskspec: TaskSpec: ", ""},
		"has a tid":           {strings.Replace(spec, `{`, `{"tid":"1763740800000000000",`, 1), "invalid taskspec: tid: ", ""},
		"unsupported":         {unsupported, "invalid taskspec: io.control.other: not supported yet", ""},
		"bad call":            {`{"taskspec":{"name":"greet","spec":{"type":"function","function_target":"a.b"}},"inbox_message":{"args":1}}`, "read work item: args: want a list", "greet"},
		"bad work item":       {`{"taskspec":` + spec + `,"inbox_message":{"stdin":5}}`, "read work item: stdin: ", "greet"},
		"bad argument":        {`{"taskspec":` + spec + `,"inbox_message":{"args":[true]}}`, "read work item: args[0]: ", "greet"},
	}
}

// A request that cannot be run becomes a task that failed, so that whoever
// waits for it is answered; with a record, which a client has written, or
// without.
func TestRefuse(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	for name, bad := range badRequests() {
		t.Run(name, func(t *testing.T) {
			p := &project{t, p.b, p.root}
			tid := p.write(Requests, bad.body).String()
			j := p.prepare(tid)
			if !strings.HasPrefix(j.Refused(), bad.reason) {
				t.Fatalf("refused with %q, want %q…", j.Refused(), bad.reason)
			}
			if strings.Contains(j.Refused(), "\n") {
				t.Errorf("more than one line: %q", j.Refused())
			}
			p.update(func(tx *broker.Tx) error { return Refuse(tx, j, at) })
			got := p.task(tid)
			want := &Task{TID: tid, Name: bad.name, Status: "failed", Dir: got.Dir, Created: at.UnixNano(), Completed: at.UnixNano(), Error: j.Refused()}
			if want.Name == "" {
				want.Name = "invalid request"
			}
			if diff := cmp.Diff(want, got, bare); diff != "" {
				t.Errorf("record (-want +got):\n%s", diff)
			}
			p.wantHistory(tid,
				Event{Event: "task_initialized", Status: "created"},
				Event{Event: "work_failed", Status: "failed", Error: j.Refused()})
			if n := len(p.bodies(Requests)); n != 0 {
				t.Errorf("%d requests are left", n)
			}
		})
	}
}

// A client checks a spec before it submits it, but it may be another version.
func TestRefuseSubmitted(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	parent := p.submit()
	tid := p.submission(Submission{Spec: echo(elsewhere), Item: "item", Dir: "/home/ann", Parent: parent})
	j := p.prepare(tid)
	for range 2 { // the second finds the request gone
		p.update(func(tx *broker.Tx) error { return Refuse(tx, j, at) })
	}
	got := p.task(tid)
	if got.Name != "greet" || got.Status != "failed" || got.Error != "invalid taskspec: io.control.other: not supported yet" ||
		got.Dir != "/home/ann" || got.Parent != parent || got.ReturnCode != nil || got.Epoch != 0 {
		t.Errorf("record is %+v", got)
	}
	p.wantHistory(tid,
		Event{Event: "task_initialized", Status: "created", ParentTID: parent},
		Event{Event: "work_failed", Status: "failed", Error: got.Error})
}

// A task that was ended, or given to another consumer, since it was prepared is
// not given out.
func TestDispatchTooLate(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	for name, meanwhile := range map[string]func(*project, string){
		"dispatched": func(p *project, tid string) { p.run(tid) },
		"stopped": func(p *project, tid string) {
			p.update(func(tx *broker.Tx) error { _, err := End(tx, tid, CommandStop, at); return err })
		},
		"finished": func(p *project, tid string) {
			p.run(tid)
			if err := p.finish(handOff(tid, taskspec.Exited(0, ""))); err != nil {
				p.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := &project{t, p.b, p.root}
			tid := p.submit()
			j := p.prepare(tid)
			meanwhile(p, tid)
			before := p.state()
			err := p.try(func(tx *broker.Tx) error {
				dispatched, err := Dispatch(tx, j, consumer, at)
				if dispatched != nil && err == nil {
					t.Errorf("dispatched with message %v", dispatched.Message)
				}
				return err
			})
			if err != nil && !errors.Is(err, ErrChanged) {
				t.Error(err)
			}
			if err := p.try(func(tx *broker.Tx) error { return Refuse(tx, j, at) }); err != nil && !errors.Is(err, ErrChanged) {
				t.Error(err)
			}
			p.unchanged(before)
		})
	}
}

// A report is history: it changes nothing of how the task stands.
func TestNoteUsage(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	tid := p.submit()
	message := p.run(tid)
	before := p.task(tid)
	u := Usage{MemoryMB: 2.5, CPUPercent: 99, FDs: 3, Connections: 4, CPUSeconds: 1, PeakMemoryMB: 5, PeakFDs: 6}
	for epoch := range 3 { // only 1 is the task's
		p.update(func(tx *broker.Tx) error { return NoteUsage(tx, tid, epoch, u, at) })
	}
	if diff := cmp.Diff(before, p.task(tid), bare); diff != "" {
		t.Errorf("record (-before +after):\n%s", diff)
	}
	p.wantHistory(tid,
		Event{Event: "task_initialized", Status: "created"},
		Event{Event: "task_spawning", Status: "spawning", TaskSpec: must(json.Marshal(p.shownSpec(before)))},
		Event{Event: "work_started", Status: "running", TaskSpec: must(json.Marshal(p.shownSpec(before))), MessageID: message.String()},
		Event{Event: "poll_report", Status: "running", TaskSpec: must(json.Marshal(p.shownSpec(before))), Usage: &u})
}

func TestNoteProcess(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	tid := p.submit()
	p.run(tid)
	p.update(note(1)(tid))
	if got := p.task(tid); got.Process != process || got.Status != "running" {
		t.Errorf("record is %+v", got)
	}
}

// End ends a task that waits; one that has begun is told, and its consumer ends
// it.
func TestEnd(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	parent := p.submit()
	for command, want := range map[Command]end{CommandStop: endings()["STOP"], CommandKill: endings()["KILL"]} {
		t.Run(string(command), func(t *testing.T) {
			p := &project{t, p.b, p.root}
			end := func(tid string) (got *Task) {
				p.update(func(tx *broker.Tx) (err error) { got, err = End(tx, tid, command, at); return err })
				if diff := cmp.Diff(p.task(tid), got, bare); diff != "" {
					t.Errorf("returned (-record +returned):\n%s", diff)
				}
				return got
			}
			tid := p.submission(Submission{Spec: echo(), Item: "item", Dir: p.root, Parent: parent})
			q := QueuesOf(tid)
			p.write(q.ControlIn, "PING")
			wantTask := p.task(tid)
			wantTask.Status, wantTask.ReturnCode, wantTask.Error, wantTask.Completed = want.status, want.code, want.err, at.UnixNano()
			for range 2 { // twice is once
				if diff := cmp.Diff(wantTask, end(tid), bare); diff != "" {
					t.Errorf("record (-want +got):\n%s", diff)
				}
			}
			if left := p.bodies(q.ControlIn); left != nil {
				t.Errorf("control messages are left: %q", left)
			}
			p.wantHistory(tid,
				Event{Event: "task_initialized", Status: "created", ParentTID: parent},
				Event{Event: want.event, Status: want.status, ReturnCode: want.code, Error: want.err})

			running := p.submit()
			p.run(running)
			before := p.state()
			end(running)
			if diff := cmp.Diff([]string{string(command)}, p.bodies(QueuesOf(running).ControlIn), bare); diff != "" {
				t.Errorf("control messages of a running task (-want +got):\n%s", diff)
			}
			must(p.b.Queue(QueuesOf(running).ControlIn).Delete(ctx, broker.Select{}))
			p.unchanged(before)
		})
	}
}

// waiting are the ids of the requests that a manager sees.
func (p *project) waiting(n int, nestedOnly bool) (ids []string) {
	p.Helper()
	err := p.b.View(ctx, func(r broker.Reader) error {
		ready, _, err := Runnable(r, 0, n, 1<<20, !nestedOnly)
		for _, m := range ready {
			ids = append(ids, m.Request.ID.String())
		}
		return err
	})
	if err != nil {
		p.Fatal(err)
	}
	return ids
}

// Requests of tasks for tasks are found among many others without looking at
// those.
func TestWaiting(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	nested := func(parent string) string {
		return p.submission(Submission{Spec: echo(), Item: "item", Dir: p.root, Parent: parent})
	}
	a := p.submit()
	b := nested(a)
	c := p.submit()
	d := nested("1763740800000000000") // of a task that is not known any more
	e := nested(b)
	wantAll := func(all, marked []string) {
		t.Helper()
		for n := range len(all) + 2 {
			first := func(ids []string) []string { return ids[:min(max(n, 1), len(ids))] }
			if diff := cmp.Diff(first(all), p.waiting(max(n, 1), false), bare); diff != "" {
				t.Errorf("%d waiting (-want +got):\n%s", n, diff)
			}
			if diff := cmp.Diff(first(marked), p.waiting(max(n, 1), true), bare); diff != "" {
				t.Errorf("%d nested waiting (-want +got):\n%s", n, diff)
			}
		}
	}
	wantAll([]string{a, b, c, d, e}, []string{b, d, e})
	if j := p.prepare(b); !j.Slotless {
		t.Error("job of a nested request is not nested")
	}
	if j := p.prepare(c); j.Slotless {
		t.Error("job of another request is nested")
	}
	p.run(b)
	wantAll([]string{a, c, d, e}, []string{d, e})
	for tid, depth := range map[string]int{a: 0, b: 1, d: 1, e: 2} {
		if got := p.task(tid).Depth; got != depth {
			t.Errorf("depth is %d, want %d", got, depth)
		}
	}
}

// Whoever deletes a request by hand must not hide the nested ones behind it.
func TestWaitingBehindDeleted(t *testing.T) {
	t.Parallel()
	p := &project{t, newProject(t, sqlite.Options{Durability: sqlite.Normal}).b, "/p"}
	parent := p.submit()
	var tids []string
	for range 5 {
		tids = append(tids, p.submission(Submission{Spec: echo(), Item: "item", Dir: p.root, Parent: parent}))
	}
	for _, tid := range tids[:3] {
		must(p.b.Queue(SlotlessRequests).MoveAll(ctx, "aside", broker.Select{ID: must(broker.ParseID(tid))}))
	}
	for n := 1; n <= 2; n++ {
		if diff := cmp.Diff(tids[3:3+n], p.waiting(n, true), bare); diff != "" {
			t.Errorf("%d waiting (-want +got):\n%s", n, diff)
		}
	}
	// Back again, so that everything agrees at the end.
	must(p.b.Queue("aside").MoveAll(ctx, SlotlessRequests, broker.Select{}))
}

// Requests for different functions never share a queue, whatever their names.
func TestInlineRequests(t *testing.T) {
	t.Parallel()
	seen := make(map[string]string)
	for _, name := range []string{"resize", "pkg.func", "pkg:func", "pkg/func", "a-b", "a:b-", strings.Repeat("x", 200)} {
		queue := InlineRequests(name)
		if err := broker.CheckName(queue); err != nil || seen[queue] != "" || !isRequests(queue) {
			t.Errorf("queue of %.20s is %s, as of %q: %v", name, queue, seen[queue], err)
		}
		seen[queue] = name
	}
}
