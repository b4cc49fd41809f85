package ledger

import (
	"encoding/json"
	"strings"
	"testing"

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
	work, err := p.task(tid).work()
	if err != nil || work.Env["TOKEN"] != "s3cret" {
		t.Errorf("record says %+v, %v", work, err)
	}
}

func TestEventOf(t *testing.T) {
	t.Parallel()
	encoded := func(e Event) string {
		body, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	for _, test := range []struct {
		name, body string
		tid        string
		status     taskspec.Status
	}{
		{"as it is encoded", encoded(Event{Event: "work_started", TID: "123", TIDShort: "23", Status: "running", Timestamp: 1}), "123", "running"},
		{
			"with a spec that looks like an event",
			encoded(Event{Event: "task_spawning", TID: "123", TIDShort: "23", Status: "spawning", TaskSpec: json.RawMessage(`{"tid":"9","tid_short":"9","status":"failed","timestamp":1}`)}),
			"123", "spawning",
		},
		{"of a manager", encoded(Event{Event: "manager_started", TID: "7", TIDShort: "7", Error: `","status":"failed","timestamp":`}), "7", ""},
		{"written by hand", `{"status": "failed", "tid": "5"}`, "5", "failed"},
	} {
		tid, status, err := EventOf(test.body)
		if tid != test.tid || status != test.status || err != nil {
			t.Errorf("%s: %q, %q, %v, want %q, %q", test.name, tid, status, err, test.tid, test.status)
		}
	}
	if _, _, err := EventOf("no event"); err == nil {
		t.Error("no JSON: no error")
	}
}
