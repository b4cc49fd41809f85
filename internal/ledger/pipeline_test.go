package ledger

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"weft/broker"
	"weft/broker/sqlite"
	"weft/taskspec"
)

// stage is a stage that runs cat, as edit changes it.
func stage(name string, edit ...func(*taskspec.Spec)) Stage {
	s := &taskspec.Spec{Name: name, Work: taskspec.Work{Type: taskspec.KindCommand, ProcessTarget: "cat"}}
	for _, e := range edit {
		e(s)
	}
	return Stage{Name: name, Spec: must(json.Marshal(s))}
}

func calls(name string) func(*taskspec.Spec) {
	return func(s *taskspec.Spec) {
		s.Work = taskspec.Work{Type: taskspec.KindFunction, FunctionTarget: name}
	}
}

// pipeline submits a pipeline with an input.
func (p *project) pipeline(item string, stages ...Stage) (tid string) {
	p.Helper()
	return p.submission(Submission{
		Spec: &taskspec.Spec{Name: "etl"}, Plan: &Plan{Stages: stages},
		Item: item, Dir: p.root, Env: EncodeEnv([]string{"A=1"}),
	})
}

// begin does what the manager does with a request for a pipeline.
func (p *project) begin(tid string) {
	p.Helper()
	j := p.prepare(tid)
	if j.Refused() != "" || !j.NotForConsumer() || j.Pipeline() != tid {
		p.Fatalf("%q, elsewhere: %v, pipeline %q", j.Refused(), j.NotForConsumer(), j.Pipeline())
	}
	p.update(func(tx *broker.Tx) error { return Forward(tx, j, at) })
}

// stageOf is the task of a stage of a pipeline, counted from 1.
func (p *project) stageOf(tid string, n int) *Task {
	p.Helper()
	stage := p.task(tid).Plan.Stages[n-1]
	if stage.TID == "" {
		p.Fatalf("stage %d of %s has not begun", n, tid)
	}
	return p.task(stage.TID)
}

// work runs the stage that the pipeline has come to: it writes text and ends with o.
func (p *project) work(tid, text string, o taskspec.Outcome) {
	p.Helper()
	stage := p.task(tid).Plan.Current()
	p.run(stage.TID)
	h := wrote(p.task(stage.TID), text, o)
	for range 2 { // to say it again changes nothing
		if err := p.finish(h); err != nil {
			p.Fatal(err)
		}
	}
}

// wrote is the hand-off of a task that has written text.
func wrote(t *Task, text string, o taskspec.Outcome) *HandOff {
	return &HandOff{
		TID: t.TID, Epoch: t.Epoch, Seq: 1, Process: process, Outcome: o, Ended: at,
		Output: Output{Form: FormText, Size: int64(len(text)), Stderr: []byte("said\n"), StderrSize: 5}, Result: []byte(text),
		Usage: Usage{CPUSeconds: 0.25, PeakMemoryMB: 3},
	}
}

// loseNow loses the task as it runs.
func (p *project) loseNow(tid string) error {
	epoch := p.task(tid).Epoch
	return p.try(func(tx *broker.Tx) error { return MarkLost(tx, tid, epoch, at) })
}

func newNormal(t testing.TB) *project {
	t.Helper()
	return newProject(t, sqlite.Options{Durability: sqlite.Normal})
}

func TestPipeline(t *testing.T) {
	t.Parallel()
	p := newUnchecked(t, sqlite.Options{Durability: sqlite.Normal})
	tid := p.pipeline(`{"stdin":"in"}`, stage("a"), stage("b"), stage("c"))
	if got := p.task(tid); got.Status != taskspec.StatusCreated || !got.Pipeline || !got.Slotless {
		t.Fatalf("submitted: %+v", got)
	}
	p.begin(tid)
	for n, text := range []string{"one\n", "two\n"} {
		s := p.stageOf(tid, n+1)
		if !p.prepare(s.TID).ForNextStage {
			t.Errorf("stage %d hands nothing on", n+1)
		}
		if s.Parent != tid || s.Slotless || s.Stage != n+1 || s.Last || s.Env != p.task(tid).Env {
			t.Errorf("stage %d: %+v", n+1, s)
		}
		p.work(tid, text, taskspec.Exited(0, ""))
		if want := `{"stdin":` + string(must(json.Marshal(text))) + "}"; p.prepare(p.stageOf(tid, n+2).TID).item != want {
			t.Errorf("stage %d works on %s", n+2, p.prepare(p.stageOf(tid, n+2).TID).item)
		}
	}
	p.work(tid, "three\n", taskspec.Exited(0, ""))
	got := p.task(tid)
	if got.Status != taskspec.StatusCompleted || *got.ReturnCode != 0 || got.Usage.CPUSeconds != 0.75 || got.Output.Size != 6 {
		t.Errorf("ended: %+v", got)
	}
	if out := p.bodies(PipelineQueues(tid).Outbox); !slices.Equal(out, []string{"three\n"}) {
		t.Errorf("result: %q", out)
	}
	p.check()
	last := p.stageOf(tid, 3)
	if want := (Attempt{TID: last.TID, Epoch: 1}); SourceOf(got) != want {
		t.Errorf("source: %+v, want %+v", SourceOf(got), want)
	}
	p.update(func(tx *broker.Tx) error {
		return Take(tx, last.TID) // it is the pipeline's result
	})
	if s := p.state(); len(s.Messages) != 2 {
		t.Errorf("queues are left: %v", s.Messages)
	}
	for n, want := range []string{"one\n", "two\n", "three\n"} {
		if got, _ := p.kept(p.stageOf(tid, n+1).TID); got != want {
			t.Errorf("of stage %d %q is kept, want %q", n+1, got, want)
		}
	}
	if got, _ := p.kept(tid); got != "three\n" {
		t.Errorf("of the pipeline %q is kept", got)
	}
}

// What a stage has written becomes the work item of the next one, for every two
// kinds of them.
func TestPass(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		from, to func(*taskspec.Spec)
		wrote    string
		item     string
	}{
		"nothing":             {nil, nil, "", `{}`},
		"text":                {nil, nil, "a\n", `{"stdin":"a\n"}`},
		"looks like an item":  {nil, nil, `{"args":["-rf"]}`, `{"stdin":"{\"args\":[\"-rf\"]}"}`},
		"text to function":    {nil, calls("f"), "a\n", "a\n"},
		"JSON to function":    {nil, calls("f"), `{"width":3}`, `{"width":3}`},
		"null to function":    {nil, calls("f"), `null`, `null`},
		"string value":        {calls("f"), nil, `"a\n"`, `{"stdin":"a\n"}`},
		"item value":          {calls("f"), nil, `{"args":["-l"],"stdin":"x"}`, `{"args":["-l"],"stdin":"x"}`},
		"other value":         {calls("f"), nil, `[1,2]`, `[1,2]`},
		"no value":            {calls("f"), nil, `null`, `{}`},
		"value to function":   {calls("f"), calls("g"), `"a"`, `"a"`},
		"no value to another": {calls("f"), calls("g"), `null`, `{}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newNormal(t)
			p.host("/bin/host", 7, "f", "g")
			edit := func(e func(*taskspec.Spec)) func(*taskspec.Spec) {
				if e == nil {
					return func(*taskspec.Spec) {}
				}
				return e
			}
			tid := p.pipeline(noItem, stage("a", edit(test.from)), stage("b", edit(test.to)))
			p.begin(tid)
			p.work(tid, test.wrote, taskspec.Exited(0, ""))
			if got := p.prepare(p.stageOf(tid, 2).TID).item; got != test.item {
				t.Errorf("got %s, want %s", got, test.item)
			}
			p.end(tid)
		})
	}
}

// end ends a pipeline that has begun.
func (p *project) end(tid string) {
	p.Helper()
	stage := p.task(tid).Plan.Current().TID
	p.run(stage)
	if err := p.finish(wrote(p.task(stage), "end", taskspec.Exited(0, ""))); err != nil {
		p.Fatal(err)
	}
}

// A file is the input of the next stage, and needed as long as its stage is known.
func TestPassFile(t *testing.T) {
	t.Parallel()
	p := newUnchecked(t, sqlite.Options{Durability: sqlite.Normal})
	p.host("/bin/host", 7, "f")
	tid := p.pipeline(noItem, stage("a"), stage("b"), stage("c", calls("f")))
	p.begin(tid)
	needed := func(n int) (needed bool) {
		t.Helper()
		s := p.stageOf(tid, n)
		err := p.b.View(ctx, func(r broker.Reader) (err error) {
			needed, err = Attempt{TID: s.TID, Epoch: s.Epoch, Stream: Stdout}.Needed(r)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return needed
	}
	file := func() {
		t.Helper()
		s := p.task(p.task(tid).Plan.Current().TID)
		p.run(s.TID)
		h := wrote(p.task(s.TID), "", taskspec.Exited(0, ""))
		h.Output.Form, h.Output.Size, h.Result = FormFile, 1<<20, nil
		if err := p.finish(h); err != nil {
			t.Fatal(err)
		}
	}
	file()
	first := p.stageOf(tid, 1)
	if j := p.prepare(p.stageOf(tid, 2).TID); j.item != noItem || j.Input != first.TID+".1.out" ||
		InputFile("/p/.weft", j.Input) != OutputFile("/p/.weft", first.TID, 1, Stdout) {
		t.Errorf("a command gets %s and %s", j.item, j.Input)
	}
	if !needed(1) {
		t.Error("the file of the first stage is not needed")
	}
	file()
	if !needed(1) || !needed(2) {
		t.Errorf("files are needed: %v, %v; want both", needed(1), needed(2))
	}
	var large struct{ Type, Path string }
	j := p.prepare(p.stageOf(tid, 3).TID)
	if err := json.Unmarshal([]byte(j.item), &large); err != nil || large.Type != "large_output" ||
		large.Path != OutputFile(p.root+"/"+Dir, p.stageOf(tid, 2).TID, 1, Stdout) {
		t.Errorf("a function gets %s, %v", j.item, err)
	}
	file()
	if !needed(2) || !needed(3) {
		t.Errorf("files are needed: %v, %v; want both", needed(2), needed(3))
	}
	p.update(func(tx *broker.Tx) error { return Take(tx, tid) })
	if !needed(3) {
		t.Error("the file of a result that was taken is not needed")
	}
}

// The first stage that does not complete ends the pipeline, however it ends.
func TestPipelineFails(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		end    func(p *project, stage string) error
		status taskspec.Status
		code   int
		error  string
	}{
		"exit code": {func(p *project, stage string) error {
			p.run(stage)
			return p.finish(wrote(p.task(stage), "x", taskspec.Exited(3, "oops\n")))
		}, taskspec.StatusFailed, 3, "stage b: command exited with 3: oops"},
		"timeout": {func(p *project, stage string) error {
			p.run(stage)
			return p.finish(wrote(p.task(stage), "", taskspec.TimedOut(time.Second)))
		}, taskspec.StatusTimeout, 124, "stage b: timed out after 1s"},
		"lost":                 {func(p *project, stage string) error { p.run(stage); return p.loseNow(stage) }, taskspec.StatusFailed, -1, "stage b: lost: consumer process died"},
		"stopped before begun": {func(p *project, stage string) error { return p.order(stage, CommandStop) }, taskspec.StatusCancelled, 143, "stage b: stopped"},
		"refused": {func(p *project, stage string) error {
			j := p.prepare(stage)
			j.Refuse("no such thing")
			return p.try(func(tx *broker.Tx) error { return Refuse(tx, j, at) })
		}, taskspec.StatusFailed, -1, "stage b: no such thing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newNormal(t)
			tid := p.pipeline(noItem, stage("a"), stage("b"), stage("c"))
			p.begin(tid)
			p.work(tid, "one", taskspec.Exited(0, ""))
			if err := test.end(p, p.stageOf(tid, 2).TID); err != nil {
				t.Fatal(err)
			}
			got := p.task(tid)
			if got.Status != test.status || got.Error != test.error || (got.ReturnCode == nil) != (test.code < 0) || got.ReturnCode != nil && *got.ReturnCode != test.code {
				t.Errorf("%s, %v, %q", got.Status, got.ReturnCode, got.Error)
			}
			if got.Plan.Started() != 2 {
				t.Errorf("%d stages have begun", got.Plan.Started())
			}
			_, err := p.retry(p.stageOf(tid, 2).TID)
			if !errors.Is(err, ErrNoRetry) {
				t.Errorf("a stage was run again by itself: %v", err)
			}
		})
	}
}

// order sends an order to end.
func (p *project) order(tid string, c Command) error {
	return p.try(func(tx *broker.Tx) error { _, err := End(tx, tid, c, at); return err })
}

func (p *project) retry(tid string) (before *Task, err error) {
	err = p.try(func(tx *broker.Tx) (err error) { before, _, err = Retry(tx, tid, at); return err })
	return before, err
}

// A pipeline goes on at the stage that did not complete, with the same input.
func TestResume(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(p *project, tid, stage string) error{
		"failed": func(p *project, tid, stage string) error {
			p.run(stage)
			return p.finish(wrote(p.task(stage), "x", taskspec.Exited(3, "")))
		},
		"lost":    func(p *project, tid, stage string) error { p.run(stage); return p.loseNow(stage) },
		"stopped": func(p *project, tid, stage string) error { p.run(stage); return p.stopRunning(tid, stage) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newNormal(t)
			tid := p.pipeline(noItem, stage("a"), stage("b"), stage("c"))
			p.begin(tid)
			p.work(tid, "one", taskspec.Exited(0, ""))
			second := p.stageOf(tid, 2).TID
			for attempt := 1; attempt <= 2; attempt++ {
				if err := end(p, tid, second); err != nil {
					t.Fatal(err)
				}
				if got := p.task(tid); !got.Status.Terminal() || got.Epoch != attempt {
					t.Fatalf("attempt %d: %+v", attempt, got)
				}
				if _, err := p.retry(tid); err != nil {
					t.Fatal(err)
				}
				if got := p.task(tid); got.Status != taskspec.StatusRunning || got.Error != "" || got.Ordered != "" {
					t.Errorf("resumed: %+v", got)
				}
				if got := p.prepare(second).item; got != `{"stdin":"one"}` {
					t.Errorf("it works on %s now", got)
				}
			}
			p.run(second)
			h := wrote(p.task(second), "two", taskspec.Exited(0, ""))
			if err := p.finish(h); err != nil {
				t.Fatal(err)
			}
			p.end(tid)
			if got := p.task(tid); got.Status != taskspec.StatusCompleted {
				t.Errorf("%s: %s", got.Status, got.Error)
			}
			if _, err := p.retry(tid); !errors.Is(err, ErrNoRetry) {
				t.Errorf("a pipeline that completed runs again: %v", err)
			}
		})
	}
}

// stopRunning stops a pipeline while its stage runs.
func (p *project) stopRunning(tid, stage string) error {
	if err := p.order(tid, CommandStop); err != nil {
		return err
	}
	var orders []Command
	err := p.try(func(tx *broker.Tx) (err error) { orders, err = ReadTaskControl(tx, stage, at); return err })
	if err != nil || !slices.Equal(orders, []Command{CommandStop}) {
		return errors.Join(err, errors.New("the stage was not told to stop"))
	}
	return p.finish(wrote(p.task(stage), "", taskspec.Stopped()))
}

// A stage that completes although its pipeline was told to end is the last, and
// if it was the last anyway the pipeline has completed.
func TestOrderedTooLate(t *testing.T) {
	t.Parallel()
	for c, want := range map[Command]taskspec.Status{CommandStop: taskspec.StatusCancelled, CommandKill: taskspec.StatusKilled} {
		p := newNormal(t)
		tid := p.pipeline(noItem, stage("a"), stage("b"))
		p.begin(tid)
		first := p.stageOf(tid, 1).TID
		p.run(first)
		if err := errors.Join(p.order(tid, c), p.finish(wrote(p.task(first), "one", taskspec.Exited(0, "")))); err != nil {
			t.Fatal(err)
		}
		if got := p.task(tid); got.Status != want || got.Plan.Started() != 1 {
			t.Errorf("%s: %s, %d stages", c, got.Status, got.Plan.Started())
		}
		tid = p.pipeline(noItem, stage("a"))
		p.begin(tid)
		only := p.stageOf(tid, 1).TID
		p.run(only)
		if err := errors.Join(p.order(tid, c), p.finish(wrote(p.task(only), "one", taskspec.Exited(0, "")))); err != nil {
			t.Fatal(err)
		}
		if got := p.task(tid); got.Status != taskspec.StatusCompleted {
			t.Errorf("%s: %s", c, got.Status)
		}
	}
}

// A pipeline whose stage is gone can be ended all the same.
func TestStageIsGone(t *testing.T) {
	t.Parallel()
	p := newNormal(t)
	tid := p.pipeline(noItem, stage("a"))
	p.begin(tid)
	gone := p.stageOf(tid, 1).TID
	p.update(func(tx *broker.Tx) error {
		_, err := tx.Delete(Requests, broker.Select{})
		return errors.Join(err, tx.DeleteRecord(Kind, gone))
	})
	if err := p.order(tid, CommandStop); err != nil {
		t.Fatal(err)
	}
	if got := p.task(tid); got.Status != taskspec.StatusCancelled {
		t.Errorf("%s", got.Status)
	}
}

// Between stages and queues of the user's.
func TestPipelineQueues(t *testing.T) {
	t.Parallel()
	p := newNormal(t)
	from := func(queue string) func(*taskspec.Spec) {
		return func(s *taskspec.Spec) { s.IO.Inputs = map[string]string{"inbox": queue} }
	}
	to := func(queue string) func(*taskspec.Spec) {
		return func(s *taskspec.Spec) { s.IO.Outputs = map[string]string{"outbox": queue} }
	}
	own := "mine"
	tid := p.pipeline(noItem, stage("a", to("raw.data")), stage("b", from("raw.data")), stage("c", to("tee")), Stage{Name: "d", Spec: stage("d").Spec, Input: &own}, stage("e", to("clean.data")))
	p.begin(tid)
	if p.prepare(p.stageOf(tid, 1).TID).ForNextStage {
		t.Error("what is for a queue as well is kept as if it were for the next stage alone")
	}
	p.work(tid, "raw", taskspec.Exited(0, ""))
	if got := p.bodies("raw.data"); !slices.Equal(got, []string{"raw"}) {
		t.Fatalf("raw.data holds %q", got)
	}
	jobs, _ := p.oldest(9)
	if len(jobs) != 1 || jobs[0].item != "raw" {
		t.Fatalf("waiting: %+v", jobs)
	}
	p.dispatch(jobs[0])
	second := p.stageOf(tid, 2)
	if err := p.finish(wrote(second, "two", taskspec.Exited(0, ""))); err != nil {
		t.Fatal(err)
	}
	if got := p.prepare(p.stageOf(tid, 3).TID).item; got != `{"stdin":"two"}` {
		t.Errorf("the third stage works on %s", got)
	}
	p.work(tid, "three", taskspec.Exited(0, ""))
	if got := p.prepare(p.stageOf(tid, 4).TID).item; got != "mine" {
		t.Errorf("the fourth stage works on %s", got)
	}
	p.work(tid, "four", taskspec.Exited(0, ""))
	p.work(tid, "five", taskspec.Exited(0, ""))
	for queue, want := range map[string]string{"tee": "three", "clean.data": "five"} {
		if got := p.bodies(queue); !slices.Equal(got, []string{want}) {
			t.Errorf("%s holds %q", queue, got)
		}
	}
	var shown string
	if err := p.b.View(ctx, func(r broker.Reader) (err error) { shown, _, err = ResultMessage(r, p.task(tid)); return err }); err != nil || shown != "five" {
		t.Errorf("shown: %q, %v", shown, err)
	}
}

// A pipeline is told by messages what a task is told.
func TestObeyPipeline(t *testing.T) {
	t.Parallel()
	p := newNormal(t)
	tid := p.pipeline(noItem, stage("a"), stage("b"))
	p.begin(tid)
	q := PipelineQueues(tid)
	obey := func(want bool, bodies ...string) {
		t.Helper()
		for _, body := range bodies {
			p.write(q.ControlIn, body)
		}
		p.update(func(tx *broker.Tx) error {
			runs, err := ReadPipelineControl(tx, tid, at)
			if runs != want {
				t.Errorf("runs: %v", runs)
			}
			return err
		})
	}
	obey(true)
	obey(true, "ping", `{"command":"STATUS","request_id":"x"}`, "dance")
	var got []string
	for _, r := range p.replies(q.ControlOut) {
		got = append(got, strings.TrimSpace(strings.Join([]string{r["command"].(string), r["status"].(string)}, " ")))
	}
	if want := []string{"PING ok", "STATUS ok", "DANCE unknown"}; !slices.Equal(got, want) {
		t.Errorf("replies: %v", got)
	}
	obey(false, "STOP", "KILL") // the stage has not begun, so that is the end
	if got := p.task(tid); got.Status != taskspec.StatusCancelled {
		t.Errorf("%s", got.Status)
	}
}

// A pipeline in a task's place holds back no slot, and its stages need none.
func TestNestedPipeline(t *testing.T) {
	t.Parallel()
	p := newNormal(t)
	parent := p.submit()
	p.run(parent)
	tid := p.submission(Submission{
		Spec: &taskspec.Spec{Name: "etl"}, Plan: &Plan{Stages: []Stage{stage("a")}}, Item: noItem, Dir: p.root, Parent: parent,
	})
	p.begin(tid)
	s := p.stageOf(tid, 1)
	if !s.Slotless || s.Depth != 1 || p.task(tid).Depth != 1 {
		t.Errorf("stage: %+v", s)
	}
	if got := p.waiting(9, true); !slices.Equal(got, []string{s.TID}) {
		t.Errorf("may go without a slot: %v", got)
	}
	p.end(tid)
}

// Requests that nobody checked, and inputs that do not fit.
func TestBadPipeline(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal, Options: broker.Options{MaxMessage: 4 << 10}})
	spec := string(stage("a").Spec)
	for body, want := range map[string]string{
		`{"pipeline":3}`:                          "invalid pipeline: json",
		`{"pipeline":{"name":"p","stages":[]}}`:   "invalid pipeline: stages: required",
		`{"pipeline":{"name":"p","stages":[{}]}}`: "invalid pipeline: stages[0].taskspec: not valid JSON",
		`{"pipeline":{"name":"p","stages":[{"taskspec":` + spec + `},{"taskspec":` + spec + `}]}}`:                        `invalid pipeline: stages[1].name: is that of another stage, "a": give it one of its own`,
		`{"pipeline":{"name":"p","stages":[{"taskspec":` + spec + `}]},"taskspec":{}}`:                                    "request has an unknown field",
		`{"pipeline":{"name":"p","stages":[{"taskspec":` + strings.Replace(spec, `"cat"`, `"cat","tty":true`, 1) + `}]}}`: "invalid pipeline: stages[0].taskspec: spec.tty: does not go with a stage",
	} {
		j := p.prepare(p.write(Requests, body).String())
		if !strings.Contains(j.Refused(), want) {
			t.Errorf("%s: %q, want %q", body, j.Refused(), want)
		}
		p.update(func(tx *broker.Tx) error { return Refuse(tx, j, at) })
	}
	tid := p.pipeline(noItem, stage("a"), stage("b", func(s *taskspec.Spec) { s.Description = strings.Repeat("d", 2000) }))
	p.begin(tid)
	p.work(tid, strings.Repeat("\n", 2000), taskspec.Exited(0, ""))
	if got := p.task(tid); got.Status != taskspec.StatusFailed || got.Error != "stage b: its input does not fit a message" {
		t.Errorf("%s: %s", got.Status, got.Error)
	}
	if _, err := p.retry(tid); !errors.Is(err, ErrNoRetry) {
		t.Errorf("retry: %v", err)
	}
}

// A dump hides what the stages have in their environments, and what was on its way
// when it was made is lost where it is loaded.
func TestDumpPipeline(t *testing.T) {
	t.Parallel()
	p := newNormal(t)
	secret := func(s *taskspec.Spec) { s.Env = map[string]string{"TOKEN": "s3cret"} }
	waits := p.pipeline(noItem, stage("a", secret))
	runs := p.pipeline(noItem, stage("a", secret), stage("b", secret))
	p.begin(runs)
	dump := p.dump(false, false)
	if strings.Contains(dump, "s3cret") {
		t.Error("the dump shows a secret")
	}
	whole := p.dump(false, true)
	there := newNormal(t)
	if in, _ := there.mustLoad(whole, true); in.Lost != 1 {
		t.Errorf("%d tasks are lost", in.Lost)
	}
	if got := there.task(runs); got.Status != taskspec.StatusFailed {
		t.Errorf("%s", got.Status)
	}
	if got := there.waiting(9, false); !slices.Equal(got, []string{waits}) {
		t.Errorf("requests: %v, want %s", got, waits)
	}
	there.begin(waits)
	there.end(waits)
	p.order(runs, CommandStop)
	p.order(waits, CommandStop)
}

// A stage is not forgotten while its pipeline has not ended.
func TestForgetStage(t *testing.T) {
	t.Parallel()
	p := newNormal(t)
	tid := p.pipeline(noItem, stage("a"), stage("b"))
	p.begin(tid)
	p.work(tid, "one", taskspec.Exited(0, ""))
	later := time.Now().Add(time.Hour)
	if n := p.forget(Retention{Age: time.Minute}, later); n != 0 {
		t.Errorf("%d tasks were forgotten while the pipeline runs", n)
	}
	p.work(tid, "two", taskspec.Exited(0, ""))
	p.update(func(tx *broker.Tx) error { return Take(tx, tid) })
	if n := p.forget(Retention{Age: time.Minute}, later); n != 3 {
		t.Errorf("%d tasks were forgotten, want the pipeline and its stages", n)
	}
}

func TestPipelineViews(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal, Options: broker.Options{Views: View}})
	tid := p.pipeline(noItem, stage("a"), stage("b"))
	p.begin(tid)
	first := p.stageOf(tid, 1).TID
	p.run(first)
	want := PipelineView{TID: tid, Name: "etl", Status: taskspec.StatusRunning, Stage: "a", Stages: []StageView{
		{"a", first, taskspec.StatusRunning}, {Name: "b"},
	}}
	for _, queue := range []string{"P" + tid + ".status", "weft.state.pipelines"} {
		var got PipelineView
		if bodies := p.bodies(queue); len(bodies) != 1 || json.Unmarshal([]byte(bodies[0]), &got) != nil {
			t.Fatalf("%s: %q", queue, bodies)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", queue, diff)
		}
	}
	if err := errors.Join(p.order(tid, CommandKill), p.finish(wrote(p.task(first), "", taskspec.Killed()))); err != nil {
		t.Fatal(err)
	}
	if got := p.bodies("weft.state.pipelines"); len(got) > 0 {
		t.Errorf("still shown: %q", got)
	}
}

// Whatever happens to pipelines, in whatever order: what must hold does, which the
// project's check says, and each ends as its stages have.
func TestPipelineModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		p := newNormal(t)
		p.TB = rt
		n := rapid.IntRange(1, 4).Draw(rt, "stages")
		var stages []Stage
		for i := range n {
			stages = append(stages, stage(string(rune('a'+i)), func(s *taskspec.Spec) {
				if rapid.Bool().Draw(rt, "retries") {
					s.Retry = &taskspec.RetryPolicy{MaxAttempts: new(2), Backoff: new(time.Duration(0))}
				}
			}))
		}
		tid := p.pipeline(noItem, stages...)
		p.begin(tid)
		completed := 0 // stages
		for range rapid.IntRange(1, 20).Draw(rt, "steps") {
			before := p.task(tid)
			current := before.Plan.Current()
			s := p.task(current.TID)
			switch what := rapid.SampledFrom([]string{"finish", "fail", "lose", "stop", "kill", "retry"}).Draw(rt, "what"); {
			case what == "retry":
				_, err := p.retry(tid)
				if before.Status.Terminal() != (err == nil) && !errors.Is(err, ErrNoRetry) {
					rt.Fatalf("retry of a pipeline that is %s: %v", before.Status, err)
				}
			case s.Status.Terminal():
			case what == "stop" || what == "kill":
				if err := p.order(tid, map[string]Command{"stop": CommandStop, "kill": CommandKill}[what]); err != nil {
					rt.Fatal(err)
				}
			default:
				if s.Status == taskspec.StatusCreated {
					p.run(s.TID)
					s = p.task(s.TID)
				}
				o := taskspec.Exited(0, "")
				if what == "fail" {
					o = taskspec.Exited(1, "")
				}
				if what == "lose" {
					if err := p.loseNow(s.TID); err != nil {
						rt.Fatal(err)
					}
					break
				}
				h := wrote(s, "x", o)
				if err := p.finish(h); err != nil {
					rt.Fatal(err)
				}
				if o.Status == taskspec.StatusCompleted {
					completed++
				}
			}
			after := p.task(tid)
			if after.Status == taskspec.StatusCompleted && completed != n {
				rt.Fatalf("completed after %d of %d stages", completed, n)
			}
			p.check()
		}
	})
}
