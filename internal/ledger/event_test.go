package ledger

import (
	"strings"
	"testing"

	"weft/broker"
	"weft/broker/sqlite"
	"weft/taskspec"
)

// No event ever shows the value of a variable, of spec.env or of the
// submitter; the record, which the consumer's work is made from, keeps spec.env.
func TestRedaction(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	tid := p.submission(Submission{
		Spec: echo(func(s *taskspec.Spec) {
			s.Env = map[string]string{"TOKEN": "s3cret", "EMPTY": ""}
			s.Args = []any{"visible"}
		}),
		Item: "item", Dir: p.root, Env: EncodeEnv([]string{"PASSWORD=t0p"}),
	})
	p.run(tid)
	p.write(QueuesOf(tid).ControlIn, "PING")
	if err := p.finish(handOff(tid, taskspec.Exited(1, ""))); err != nil {
		t.Fatal(err)
	}
	for _, body := range p.bodies(Log) {
		if strings.Contains(body, "s3cret") || strings.Contains(body, "t0p") {
			t.Errorf("event shows a secret: %s", body)
		}
	}
	shown := 0
	for _, e := range p.history(tid) {
		if e.TaskSpec == nil {
			continue
		}
		shown++
		s, err := taskspec.Decode(e.TaskSpec)
		if err != nil {
			t.Fatal(err)
		}
		if len(s.Env) != 2 || s.Env["TOKEN"] != "[redacted]" || s.Args[0] != "visible" {
			t.Errorf("event %s shows %s", e.Event, e.TaskSpec)
		}
	}
	if shown != 3 {
		t.Errorf("%d events show the spec, want 3", shown)
	}
	work, err := p.task(tid).Work()
	if err != nil || work.Env["TOKEN"] != "s3cret" {
		t.Errorf("record says %+v, %v", work, err)
	}
}

// The store has no spec in an event, and readers see one if there is one.
func TestWholeEvent(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	tid := p.submit()
	p.run(tid)
	if err := p.finish(handOff(tid, taskspec.Exited(3, ""))); err != nil {
		t.Fatal(err)
	}
	stored := 0
	for e, err := range EventsAfter(ctx, p.b, 0) {
		if stored++; err != nil || strings.Contains(e.Body, "taskspec") || e.TID != tid {
			t.Errorf("stored: %+v, %v", e, err)
		}
	}
	if stored != 4 {
		t.Errorf("%d events are stored, want 4", stored)
	}
	for name, test := range map[string]struct{ body, want string }{
		"of a task": {
			`{"event":"work_failed","tid":"` + tid + `","tid_short":"1","status":"failed","timestamp":1,"return_code":3,"error":"why"}`,
			`"state":{"status":"failed","return_code":3,"error":"why"}`,
		},
		"of a task that is gone": {`{"event":"work_failed","tid":"1","tid_short":"1","status":"failed","timestamp":1}`, `,"taskspec":null}`},
		"the first":              {`{"event":"task_initialized","tid":"` + tid + `","status":"created"}`, ""},
		"of a manager":           {`{"event":"manager_started","tid":"` + tid + `"}`, ""},
		"that is whole":          {`{"event":"work_failed","tid":"1","status":"failed","taskspec":{"name":"x"}}`, ""},
		"that is none":           {"no event", ""},
	} {
		err := p.b.View(ctx, func(r broker.Reader) error {
			whole, err := WholeEvent(r, test.body)
			if test.want == "" && whole != test.body || !strings.Contains(whole, test.want) {
				t.Errorf("%s: %s", name, whole)
			}
			return err
		})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
