package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weft/broker"
	"weft/broker/sqlite"
	"weft/taskspec"
)

const secret = "hunter2"

func withEnv(s *taskspec.Spec) { s.Env = map[string]string{"PASSWORD": secret} }

func (p *project) dump(state, secrets bool) string {
	p.Helper()
	var out bytes.Buffer
	if _, err := p.b.Dump(ctx, &out, DumpOptions(state, secrets, nil)); err != nil {
		p.Fatal(err)
	}
	return out.String()
}

// load loads a dump, with requests if run is true.
func (p *project) load(dump string, run bool) (*Intake, broker.LoadReport, error) {
	var in *Intake
	report, err := p.b.Load(ctx, strings.NewReader(dump), broker.LoadOptions{Policy: func(h broker.Header) broker.Policy {
		in = NewIntake(h, run, nil, at)
		return in.Policy()
	}})
	return in, report, err
}

// mustLoad loads what has to be good.
func (p *project) mustLoad(dump string, run bool) (*Intake, broker.LoadReport) {
	p.Helper()
	in, report, err := p.load(dump, run)
	if err != nil {
		p.Fatal(err)
	}
	return in, report
}

// TestLoad loads a project with tasks in every state.
func TestLoad(t *testing.T) {
	t.Parallel()
	p, other := newProject(t, sqlite.Options{}), newProject(t, sqlite.Options{})
	completed, kept, requeued := p.submit(withEnv), p.submit(), p.submit(withEnv, policies(taskspec.PolicyRequeue, ""), withoutCleanup)
	for _, tid := range []string{completed, kept, requeued} {
		p.run(tid)
	}
	if err := p.finish(handOff(completed, taskspec.Exited(0, ""))); err != nil {
		t.Fatal(err)
	}
	created := p.submission(Submission{Spec: echo(), Item: "item", Dir: p.root, Env: "A=1", Parent: kept})
	p.update(func(tx *broker.Tx) error {
		_, err := RegisterManager(tx, Manager{Process: process}, at)
		return errors.Join(err, Claim(tx, Endpoint{Name: "mail", Queue: "q", TID: kept}))
	})
	// The name of an endpoint that has been claimed here too.
	mine := other.submit()
	other.run(mine)
	other.update(func(tx *broker.Tx) error { return Claim(tx, Endpoint{Name: "mail", Queue: "mine", TID: mine}) })

	in, report := other.mustLoad(p.dump(true, true), false)
	if in.Requests != 1 || in.State != 3 || in.Lost != 2 || report.Records != 3 {
		t.Errorf("intake %+v, report %+v", in, report)
	}
	want := p.task(completed)
	want.Env, want.Loaded = "", true
	if diff := cmp.Diff(want, other.task(completed), bare); diff != "" {
		t.Errorf("completed task (-want +got):\n%s", diff)
	}
	if got := other.bodies(QueuesOf(completed).Outbox); len(got) != 1 || got[0] != "result" {
		t.Errorf("result %q", got)
	}
	for tid, q := range map[string]string{kept: QueuesOf(kept).Reserved, requeued: QueuesOf(requeued).Inbox} {
		lost := other.task(tid)
		if lost.Status != taskspec.StatusFailed || lost.ReturnCode != nil || !strings.HasPrefix(lost.Error, "lost: ") || lost.Env != "" {
			t.Errorf("task that ran is %+v", lost)
		}
		if got := other.bodies(q); len(got) != 1 || got[0] != "item" {
			t.Errorf("%s holds %q", q, got)
		}
		events := other.history(tid)
		if last := events[len(events)-1]; last.Event != taskspec.EventWorkLost || last.Error != lost.Error {
			t.Errorf("last event %+v", last)
		}
	}
	err := other.try(func(tx *broker.Tx) error {
		_, err := load(tx, created)
		if !errors.Is(err, broker.ErrNotFound) {
			t.Errorf("task that waits: %v", err)
		}
		e, err := EndpointOf(tx, "mail")
		if err == nil && e.TID != mine {
			err = fmt.Errorf("endpoint is %+v", e)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if n := len(other.state().Records[ManagerKind]); n != 0 {
		t.Errorf("%d managers", n)
	}
}

func withoutCleanup(s *taskspec.Spec) { s.CleanupOnExit = new(false) }

// TestLoadRequests takes in tasks that wait, and refuses those of which
// something is missing.
func TestLoadRequests(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{})
	parent := p.submit()
	p.run(parent)
	nested := p.submission(Submission{Spec: echo(), Item: "item", Dir: "/somewhere", Env: "A=1", Parent: parent})
	byHand := p.write(Requests, `{"name":"x","spec":{"type":"command","process_target":"true"}}`)
	broken := p.write(Requests, `{"spec":{"env":["`+secret+`"]`)

	other := newProject(t, sqlite.Options{})
	in, _ := other.mustLoad(p.dump(false, false), true)
	if in.Requests != 3 || in.Lost != 1 {
		t.Errorf("intake %+v", in)
	}
	j := other.prepare(nested)
	if j.Refused() != "" || j.Env != "" || j.Slotless || j.Dir != "/somewhere" {
		t.Errorf("job %+v", j)
	}
	other.run(nested)
	other.run(byHand.String())
	if other.prepare(broken.String()).Refused() == "" {
		t.Error("a broken request can be run")
	}

	// A dump that somebody has made otherwise, with environments and the index.
	p.submit(delayed(time.Hour))
	var raw bytes.Buffer
	if _, err := p.b.Dump(ctx, &raw, broker.DumpOptions{}); err != nil {
		t.Fatal(err)
	}
	second := newProject(t, sqlite.Options{})
	in, _ = second.mustLoad(raw.String(), true)
	if j := second.prepare(nested); in.State != 2 || j.Env != "" || len(second.state().Records[envKind]) != 0 {
		t.Errorf("%d records are state; environment %q", in.State, j.Env)
	}

	withSecret := p.submit(withEnv)
	third := newProject(t, sqlite.Options{})
	before := third.state()
	_, _, err := third.load(p.dump(false, false), true)
	if !errors.Is(err, ErrIncompleteDump) || !strings.Contains(err.Error(), "task "+withSecret) || !strings.Contains(err.Error(), "line ") {
		t.Errorf("a request that was redacted: %v", err)
	}
	third.unchanged(before)
	third.mustLoad(p.dump(false, true), true)
	if env := third.prepare(withSecret).Work.Env["PASSWORD"]; env != secret {
		t.Errorf("environment %q", env)
	}

	fourth := newProject(t, sqlite.Options{})
	large := p.submission(Submission{Spec: echo(), Item: "{}", Dir: p.root, Input: "file"})
	_, _, err = fourth.load(p.dump(false, true), true)
	if !errors.Is(err, ErrIncompleteDump) || !strings.Contains(err.Error(), "task "+large) {
		t.Errorf("a request with a large input: %v", err)
	}
	fourth.mustLoad(p.dump(false, true), false)
}

// TestLoadHere loads into the project that was dumped: what has not changed is
// left alone, and a task that runs goes on.
func TestLoadHere(t *testing.T) {
	t.Parallel()
	for _, secrets := range []bool{false, true} {
		p := newProject(t, sqlite.Options{})
		running, ended := p.submit(withEnv), p.submit()
		p.run(running)
		p.run(ended)
		dump := p.dump(false, secrets)
		before := p.state()
		var records []string // and no messages, which would be in conflict
		for line := range strings.Lines(dump) {
			if !strings.HasPrefix(line, `{"type":"message"`) && !strings.HasPrefix(line, `{"type":"end"`) {
				records = append(records, line)
			}
		}
		dump = strings.Join(append(records, `{"type":"end","messages":0}`), "")
		in, report := p.mustLoad(dump, false)
		if report.Present != 2 || in.Lost != 0 {
			t.Errorf("secrets %v: intake %+v, report %+v", secrets, in, report)
		}
		p.unchanged(before)
		if err := p.finish(handOff(ended, taskspec.Exited(0, ""))); err != nil {
			t.Fatal(err)
		}
		before = p.state()
		_, report, err := p.load(dump, false)
		if !errors.Is(err, broker.ErrConflict) || !strings.Contains(err.Error(), "task "+ended) || report.Conflicting != 1 {
			t.Errorf("a task that has changed: %v", err)
		}
		p.unchanged(before)
	}
}

// TestDumpSecrets looks for a secret everywhere it might be.
func TestDumpSecrets(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{})
	p.submission(Submission{Spec: echo(withEnv), Item: "item", Env: EncodeEnv([]string{"OTHER=" + secret})})
	p.run(p.submit(withEnv))
	byHand := []string{
		`{"name":"x","spec":{"type":"command","process_target":"true","env":{"A":"` + secret + `"}},"more":1.50}`,
		`{"taskspec":{"spec":{"env":{"A":["` + secret + `"],"B":null}}},"unknown":{}}`,
		`{"taskspec":{"spec":{"env":{"A":"[redacted]"}}},"spec":{"env":["A=` + secret + `"]}}`,
	}
	for _, body := range byHand {
		p.write(Requests, body)
	}
	p.write(Log, `{"event":"task_spawned","taskspec":{"spec":{"env":{"A":"`+secret+`"}}}}`) // as the original does
	p.write(Log, `{"event":"no taskspec","text":"\"env\""}`)
	p.write("mail", `{"taskspec":{"spec":{"env":{"A":"mine"}}}}`)
	dump := p.dump(true, false)
	if strings.Contains(dump, secret) {
		for line := range strings.Lines(dump) {
			if strings.Contains(line, secret) {
				t.Error(line)
			}
		}
	}
	for _, want := range []string{`\"more\":1.50`, `{\"event\":\"no taskspec\",\"text\":\"\\\"env\\\"\"}`, `\"A\":\"mine\"`} {
		if !strings.Contains(dump, want) {
			t.Errorf("dump has no %s:\n%s", want, dump)
		}
	}
	if n := strings.Count(p.dump(true, true), secret); n != 6 {
		t.Errorf("the secret is there %d times with secrets, want 6", n)
	}
}

// TestLoadImplausible refuses records that contradict themselves.
func TestLoadImplausible(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{})
	const tid = "1763740800000000000"
	for name, r := range map[string]broker.Record{
		"not JSON":       {Key: tid, State: "completed", Rank: 1763740800000000000, Body: "x"},
		"another task":   {Key: tid, State: "completed", Rank: 1763740800000000000, Body: `{"tid":"1763740800000000001","status":"completed"}`},
		"another rank":   {Key: tid, State: "completed", Rank: 1, Body: `{"tid":"` + tid + `","status":"completed"}`},
		"another status": {Key: tid, State: "running", Rank: 1763740800000000000, Body: `{"tid":"` + tid + `","status":"completed"}`},
		"no status":      {Key: tid, State: "x", Rank: 1763740800000000000, Body: `{"tid":"` + tid + `","status":"x"}`},
		"no spec":        {Key: tid, State: "completed", Rank: 1763740800000000000, Body: `{"tid":"` + tid + `","status":"completed","spec":[]}`},
		"late":           {Key: "1763740800000000009", State: "completed", Rank: 1763740800000000009, Body: `{"tid":"1763740800000000009","status":"completed"}`},
	} {
		before := p.state()
		body, err := json.Marshal(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = p.load(fmt.Sprintf(`{"type":"meta","format":"weft-dump","version":1,"last_id":"1763740800000000008"}
{"type":"record","kind":"task","key":%q,"state":%q,"rank":%d,"body":%s}
{"type":"end","messages":0}`, r.Key, r.State, r.Rank, body), true)
		if !errors.Is(err, broker.ErrDump) || !strings.Contains(err.Error(), "line 2: ") {
			t.Errorf("%s: error %v", name, err)
		}
		p.unchanged(before)
	}
}

// TestLoadOriginal treats requests and state of the original by the same rules.
func TestLoadOriginal(t *testing.T) {
	t.Parallel()
	const dump = `{"type":"header","format":"simplebroker-dump","version":1,"last_ts":"1763740800000000008"}
{"type":"message","queue":"weft.spawn.requests","id":"1763740800000000001","body":"{\"name\":\"x\",\"spec\":{\"type\":\"command\",\"process_target\":\"true\"}}"}
{"type":"message","queue":"weft.state.workers","id":"1763740800000000002","body":"{}"}
{"type":"message","queue":"jobs","id":"1763740800000000003","body":"job"}`
	for _, run := range []bool{false, true} {
		p := newProject(t, sqlite.Options{Options: broker.Options{Views: View}})
		in, report := p.mustLoad(dump, run)
		if in.Requests != 1 || report.Views != 1 || len(p.bodies("jobs")) != 1 || len(p.bodies(Requests)) != btoi(run) {
			t.Errorf("run %v: intake %+v, report %+v", run, in, report)
		}
		if run {
			p.run("1763740800000000001")
		}
	}
}
