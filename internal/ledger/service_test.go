package ledger

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"weft/broker"
	"weft/broker/sqlite"
	"weft/taskspec"
)

// ensured is the policy of a service that is always to be there.
func ensured(most *int) taskspec.ServicePolicy {
	return taskspec.ServicePolicy{Mode: taskspec.ModeEnsure, MaxRestarts: most}
}

func TestNextStep(t *testing.T) {
	t.Parallel()
	const own, earlier = "2", "1"
	once := taskspec.ServicePolicy{}
	ended := func(s taskspec.Status, ran, ago time.Duration) *Task {
		completed := at.Add(-ago)
		return &Task{Status: s, Started: completed.Add(-ran).UnixNano(), Completed: completed.UnixNano()}
	}
	running := &Task{Status: taskspec.StatusRunning}
	failed := func(ago time.Duration) *Task { return ended(taskspec.StatusFailed, time.Second, ago) }
	for name, test := range map[string]struct {
		service *Service
		policy  taskspec.ServicePolicy
		task    *Task
		want    Step
	}{
		"the first time":                 {nil, ensured(nil), nil, Step{Act: Start}},
		"the first time, once":           {nil, once, nil, Step{Act: Start}},
		"it runs":                        {&Service{Manager: own, Restarts: 2}, ensured(nil), running, Step{Restarts: 2}},
		"it waits":                       {&Service{Manager: own}, ensured(nil), &Task{Status: taskspec.StatusCreated}, Step{}},
		"it has outlived its manager":    {&Service{Manager: earlier, Restarts: 3}, ensured(nil), running, Step{Act: Adopt, Restarts: 3}},
		"once, it has outlived":          {&Service{Manager: earlier}, once, running, Step{Act: Adopt}},
		"once, it has ended":             {&Service{Manager: own}, once, failed(time.Hour), Step{}},
		"once, it is forgotten":          {&Service{Manager: own}, once, nil, Step{}},
		"once, under an earlier one":     {&Service{Manager: earlier}, once, failed(0), Step{Act: Start}},
		"it has just ended":              {&Service{Manager: own}, ensured(nil), failed(0), Step{At: at.Add(time.Second)}},
		"it has completed":               {&Service{Manager: own}, ensured(nil), ended(taskspec.StatusCompleted, 0, 0), Step{At: at.Add(time.Second)}},
		"its time has come":              {&Service{Manager: own}, ensured(nil), failed(time.Second), Step{Act: Start, Restarts: 1}},
		"the third time":                 {&Service{Manager: own, Restarts: 2}, ensured(nil), failed(time.Second), Step{Restarts: 2, At: at.Add(3 * time.Second)}},
		"after a stable minute":          {&Service{Manager: own, Restarts: 9}, ensured(nil), ended(taskspec.StatusFailed, time.Minute, time.Second), Step{Act: Start, Restarts: 1}},
		"its wait outlives the manager":  {&Service{Manager: earlier, Restarts: 2}, ensured(nil), failed(time.Second), Step{Restarts: 2, At: at.Add(3 * time.Second)}},
		"stopped by hand":                {&Service{Manager: own}, ensured(nil), ended(taskspec.StatusCancelled, 0, 0), Step{At: at.Add(time.Second)}},
		"stopped with its manager":       {&Service{Manager: earlier, Restarts: 2}, ensured(nil), ended(taskspec.StatusCancelled, 0, 0), Step{Act: Start}},
		"stopped before it began":        {&Service{Manager: own}, ensured(nil), &Task{Status: taskspec.StatusCancelled, Completed: at.UnixNano()}, Step{At: at.Add(time.Second)}},
		"too often":                      {&Service{Manager: own, Restarts: 2}, ensured(new(2)), failed(time.Hour), Step{Restarts: 2, Spent: true}},
		"too often, but stable at last":  {&Service{Manager: own, Restarts: 2}, ensured(new(2)), ended(taskspec.StatusFailed, time.Minute, time.Hour), Step{Act: Start, Restarts: 1}},
		"too often, for an earlier one":  {&Service{Manager: earlier, Restarts: 2}, ensured(new(2)), failed(0), Step{Act: Start}},
		"never again":                    {&Service{Manager: own}, ensured(new(0)), failed(time.Hour), Step{Spent: true}},
		"its task is forgotten":          {&Service{Manager: own, Restarts: 1}, ensured(nil), nil, Step{Act: Start, Restarts: 2}},
		"the clock was set back":         {&Service{Manager: own}, ensured(nil), failed(-time.Hour), Step{Act: Start, Restarts: 1}},
		"it ended, and is once from now": {&Service{Manager: own, Restarts: 4}, once, failed(0), Step{Restarts: 4}},
	} {
		if diff := cmp.Diff(test.want, test.service.Next(test.policy, test.task, own, at)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// web is the manifest of a service, and how its task is submitted.
func (p *project) web(policy taskspec.ServicePolicy) (*taskspec.Manifest, Submission) {
	m := &taskspec.Manifest{Name: "web", Target: taskspec.ManifestTarget{Type: taskspec.TargetTask, Name: "serve"}, Policy: policy}
	return m, Submission{Spec: echo(), Item: "item", Dir: p.root, Env: EncodeEnv([]string{"A=1"})}
}

// advance lets a manager do what is to be done about the service.
func (p *project) advance(policy taskspec.ServicePolicy, manager string, now time.Time) (step Step, tid string) {
	p.Helper()
	m, how := p.web(policy)
	p.update(func(tx *broker.Tx) error {
		next, err := NextStep(tx, m, manager, now)
		if err != nil {
			return err
		}
		step, tid, err = ApplyStep(tx, m, next.Act, how, manager, now)
		return err
	})
	return step, tid
}

func TestAdvance(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Options: broker.Options{Views: View}})
	step, first := p.advance(ensured(nil), "1", at)
	if step.Act != Start {
		t.Fatalf("the first step is %+v", step)
	}
	task := p.task(first)
	if task.Service != "web" || !task.Slotless {
		t.Errorf("the service's task is %+v", task)
	}
	for range 2 {
		if step, tid := p.advance(ensured(nil), "1", at); step.Act != Nothing || tid != "" {
			t.Errorf("started again: %+v, %s", step, tid)
		}
	}
	if step, tid := p.advance(ensured(nil), "2", at); step.Act != Adopt || tid != first {
		t.Errorf("the next manager did %+v with %s", step, tid)
	}
	shown, err := p.b.Queue(Services).Peek(ctx)
	want := `{"name":"web","mode":"ensure","tid":"` + first + `","manager":"2","restarts":0}`
	if err != nil || shown.Body != want {
		t.Errorf("shown as %v, %v; want %s", shown, err, want)
	}

	// Its end is told, and it comes again when its time has come. A task of a
	// service is not retried by hand: there would be two.
	told, err := p.b.Listen(Services)
	if err != nil {
		t.Fatal(err)
	}
	defer told.Close()
	p.update(func(tx *broker.Tx) error { _, err := End(tx, first, CommandStop, at); return err })
	if err := told.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	if err := p.try(func(tx *broker.Tx) error { _, _, err := Retry(tx, first, at); return err }); err == nil {
		t.Error("a service was retried")
	}
	if step, _ := p.advance(ensured(nil), "2", at); step.Act != Nothing || !step.At.Equal(at.Add(time.Second)) {
		t.Errorf("after its end: %+v", step)
	}
	step, second := p.advance(ensured(nil), "2", at.Add(time.Second))
	if step.Act != Start || step.Restarts != 1 || second == first {
		t.Errorf("when its time had come: %+v, %s", step, second)
	}

	// A service that nobody declares is forgotten when it has ended.
	drop := func() bool {
		p.update(func(tx *broker.Tx) error { return DropServices(tx, nil) })
		recs, err := p.b.Records(ctx, serviceKind, broker.RecordSelect{})
		if err != nil {
			t.Fatal(err)
		}
		return len(recs) == 0
	}
	if drop() {
		t.Error("a service was forgotten that lives")
	}
	p.update(func(tx *broker.Tx) error { _, err := End(tx, second, CommandKill, at); return err })
	if !drop() {
		t.Error("a service was not forgotten")
	}
}

// TestAdvanceOvertaken: an instance ends after a manager has seen it alive, and
// before that manager adopts it, with nothing at hand to start another.
func TestAdvanceOvertaken(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{})
	policy := ensured(nil)
	_, first := p.advance(policy, "1", at)
	p.update(func(tx *broker.Tx) error { _, err := End(tx, first, CommandKill, at); return err })
	m, _ := p.web(policy)
	later := at.Add(time.Second)
	p.update(func(tx *broker.Tx) error {
		step, tid, err := ApplyStep(tx, m, Adopt, Submission{}, "2", later)
		if step.Act != Nothing || tid != "" {
			t.Errorf("did %+v with %s", step, tid)
		}
		return err
	})
	if step, tid := p.advance(policy, "2", later); step.Act != Start || tid == first {
		t.Errorf("on looking again: %+v, %s", step, tid)
	}
}

// TestOneInstance lets managers come and go, and instances end, in any order:
// there is never more than one, and it is never away for longer than it should be.
func TestOneInstance(t *testing.T) {
	t.Parallel()
	store := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	rapid.Check(t, func(rt *rapid.T) {
		p := &project{rt, store.b, store.root}
		policy := ensured(nil)
		managers := []string{"1", "2", "3"} // a frozen one may come back
		now := at
		live := func() (tids []string) {
			recs, err := p.b.Records(ctx, Kind, broker.RecordSelect{States: []string{string(taskspec.StatusCreated)}})
			if err != nil {
				rt.Fatal(err)
			}
			for _, rec := range recs {
				tids = append(tids, rec.Key)
			}
			return tids
		}
		rt.Repeat(map[string]func(*rapid.T){
			"look": func(rt *rapid.T) {
				p.advance(policy, rapid.SampledFrom(managers).Draw(rt, "manager"), now)
			},
			"end": func(rt *rapid.T) {
				command := rapid.SampledFrom([]Command{CommandStop, CommandKill}).Draw(rt, "command")
				for _, tid := range live() {
					p.update(func(tx *broker.Tx) error { _, err := End(tx, tid, command, now); return err })
				}
			},
			"wait": func(rt *rapid.T) {
				now = now.Add(time.Duration(rapid.Int64Range(1, int64(2*time.Minute)).Draw(rt, "time")))
			},
			"": func(rt *rapid.T) {
				if n := len(live()); n > 1 {
					rt.Fatalf("%d instances", n)
				}
			},
		})
		p.advance(policy, "1", now.Add(time.Minute))
		if len(live()) != 1 {
			rt.Errorf("it is away for more than a minute")
		}
		for _, tid := range live() {
			p.update(func(tx *broker.Tx) error { _, err := End(tx, tid, CommandStop, now); return err })
		}
		p.update(func(tx *broker.Tx) error { return DropServices(tx, nil) })
	})
}

// What waited in a store that somebody has brought is above its horizon only where
// the store says of itself what cannot be.
func TestHorizon(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{})
	horizon := func() (id broker.ID) {
		t.Helper()
		if err := p.b.View(ctx, func(r broker.Reader) (err error) { id, err = LastID(r); return err }); err != nil {
			t.Fatal(err)
		}
		return id
	}
	if id := horizon(); id != 0 {
		t.Errorf("the horizon of an empty store is %v", id)
	}
	tid := p.submit()
	nested := p.submission(Submission{Spec: echo(), Item: "item", Parent: tid})
	last := horizon()
	if last.String() < nested {
		t.Errorf("the horizon %v is below task %s", last, nested)
	}
	mine := p.submit()
	seen := func(held broker.ID) (tids []string, nested int) {
		t.Helper()
		err := p.b.View(ctx, func(r broker.Reader) error {
			ready, _, err := Runnable(r, held, 9, 1<<20, true)
			if err != nil {
				return err
			}
			tids = nil
			for _, one := range ready {
				tids = append(tids, one.Request.ID.String())
			}
			inner, _, err := Runnable(r, held, 9, 1<<20, false)
			nested = len(inner)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return tids, nested
	}
	if tids, n := seen(last); len(tids) != 1 || tids[0] != mine || n != 0 {
		t.Errorf("above the horizon: %v, %d nested; want %s", tids, n, mine)
	}
	if tids, n := seen(0); len(tids) != 3 || n != 1 {
		t.Errorf("of all: %v, %d nested", tids, n)
	}
	held := 0
	if err := p.b.View(ctx, func(r broker.Reader) (err error) { held, err = CountQuarantined(r, last); return err }); err != nil || held != 2 {
		t.Errorf("%d are held, %v", held, err)
	}

	// A task that claims an id which was never given would come above it, when it is
	// tried again.
	const forged = "9000000000000000000"
	p.update(func(tx *broker.Tx) error {
		return tx.PutRecord(broker.Record{Kind: Kind, Key: forged, State: "completed", Rank: 1, Body: `{"tid":"` + forged + `","name":"x","status":"completed"}`})
	})
	if id := horizon(); id.String() < forged {
		t.Errorf("the horizon is %v", id)
	}
	p.update(func(tx *broker.Tx) error { return tx.DeleteRecord(Kind, forged) })
}
