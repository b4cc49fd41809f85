package ledger

import (
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weft/broker"
	"weft/broker/sqlite"
	"weft/taskspec"
)

// newUnchecked returns a project in which not everything need agree at the end:
// what tidying removes is missed there.
func newUnchecked(t testing.TB, o sqlite.Options) *project {
	t.Helper()
	o.Durability = sqlite.Normal
	root := t.TempDir()
	b, err := sqlite.Open(filepath.Join(root, Dir), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return &project{t, b, root}
}

// atOnce is how much one transaction may do in these tests.
const atOnce = 4

// trim removes events as long as some need not be kept.
func (p *project) trim(most int, old time.Time) {
	p.Helper()
	for {
		var before broker.ID
		err := p.b.View(ctx, func(r broker.Reader) (err error) { before, err = Expired(r, most, old, atOnce); return err })
		if err != nil {
			p.Fatal(err)
		}
		if before == 0 {
			return
		}
		n, err := p.b.Queue(Log).Delete(ctx, broker.Select{Before: before})
		if err != nil || n == 0 || n > atOnce {
			p.Fatalf("%d events were removed at once: %v", n, err)
		}
	}
}

func TestExpired(t *testing.T) {
	t.Parallel()
	const events = 20 // one a minute
	for name, test := range map[string]struct {
		most int
		age  time.Duration
		want int // the newest
	}{
		"no bounds":        {0, 0, 20},
		"fewer than there": {7, 0, 7},
		"as many":          {20, 0, 20},
		"more":             {21, 0, 20},
		"young":            {0, 5 * time.Minute, 5},
		"all too old":      {0, time.Nanosecond, 0},
		"both, few":        {3, 5 * time.Minute, 3},
		"both, young":      {9, 5 * time.Minute, 5},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := at
			p := newUnchecked(t, sqlite.Options{Now: func() time.Time { return now }})
			var ids []broker.ID
			for range events {
				ids = append(ids, p.write(Log, "{}"))
				now = now.Add(time.Minute)
			}
			p.write("other", "stays")
			var old time.Time
			if test.age > 0 {
				old = now.Add(-test.age)
			}
			p.trim(test.most, old)
			var left []broker.ID
			for m, err := range p.b.Queue(Log).Messages(ctx, broker.Select{}) {
				if err != nil {
					t.Fatal(err)
				}
				left = append(left, m.ID)
			}
			if want := ids[events-test.want:]; !slices.Equal(want, left) {
				t.Errorf("events %v are left, want %v", left, want)
			}
			if n := len(p.bodies("other")); n != 1 {
				t.Errorf("%d messages of another queue are left", n)
			}
		})
	}
}

// Two who trim at once remove no more than one.
func TestExpiredTwiceAtOnce(t *testing.T) {
	t.Parallel()
	p := newUnchecked(t, sqlite.Options{})
	const keep = 7
	if _, err := p.b.Queue(Log).WriteAll(ctx, slices.Repeat([]string{"{}"}, keep+50*atOnce)); err != nil {
		t.Fatal(err)
	}
	var busy sync.WaitGroup
	for range 2 {
		busy.Go(func() {
			for {
				var before broker.ID
				err := p.b.View(ctx, func(r broker.Reader) (err error) {
					before, err = Expired(r, keep, time.Time{}, atOnce)
					return err
				})
				if err == nil && before != 0 {
					_, err = p.b.Queue(Log).Delete(ctx, broker.Select{Before: before})
				}
				if err != nil {
					t.Error(err)
				}
				if err != nil || before == 0 {
					return
				}
			}
		})
	}
	busy.Wait()
	if st, err := p.b.Queue(Log).Stats(ctx); err != nil || st.Pending != keep {
		t.Errorf("%d events are left, want %d: %v", st.Pending, keep, err)
	}
}

// dropEnvironments removes what environments can be.
func (p *project) dropEnvironments() (n int) {
	p.Helper()
	for after := int64(0); ; {
		var keys []string
		var newest, next int64
		err := p.b.View(ctx, func(r broker.Reader) (err error) {
			keys, newest, next, err = UnusedEnvironments(r, after, atOnce)
			return err
		})
		if err != nil {
			p.Fatal(err)
		}
		var dropped int
		p.update(func(tx *broker.Tx) (err error) {
			dropped, err = DropEnvironments(tx, slices.Clone(keys), newest)
			return err
		})
		if n += dropped; next == 0 {
			return n
		}
		after = next
	}
}

func TestDropEnvironments(t *testing.T) {
	t.Parallel()
	p := newUnchecked(t, sqlite.Options{})
	keep := policies(taskspec.PolicyKeep, taskspec.PolicyKeep)
	envs := make(map[string]string) // by what becomes of the task
	task := func(name string) string {
		tid := p.submission(Submission{Spec: echo(keep), Item: "item", Dir: p.root, Env: EncodeEnv([]string{"NAME=" + name})})
		envs[name] = p.task(tid).Env
		return tid
	}
	finish := func(name string, o taskspec.Outcome) {
		tid := task(name)
		p.run(tid)
		if err := p.finish(handOff(tid, o)); err != nil {
			t.Fatal(err)
		}
	}
	task("created")
	p.run(task("running"))
	finish("failed", taskspec.Exited(1, ""))
	finish("timeout", taskspec.TimedOut(time.Second))
	finish("killed", taskspec.Killed())
	cancelled := task("cancelled")
	p.update(func(tx *broker.Tx) error { _, err := End(tx, cancelled, CommandStop, at); return err })
	finish("completed", taskspec.Exited(0, ""))
	finish("completed too", taskspec.Exited(0, ""))
	shared := Submission{Spec: echo(), Item: "item", Dir: p.root, Env: EncodeEnv([]string{"NAME=completed too"})}
	p.submission(shared) // waits, in the same environment

	if n := p.dropEnvironments(); n != 1 {
		t.Errorf("%d environments were removed, want 1", n)
	}
	left := make(map[string]bool)
	for _, r := range p.state().Records[envKind] {
		left[r.Key] = true
	}
	for name, key := range envs {
		if want := name != "completed"; left[key] != want {
			t.Errorf("the environment of the task that is %s: kept %t, want %t", name, left[key], want)
		}
	}
	if n := p.dropEnvironments(); n != 0 {
		t.Errorf("%d environments were removed the second time", n)
	}
	// Whoever comes later stores it anew.
	again := p.submission(Submission{Spec: echo(), Item: "item", Dir: p.root, Env: EncodeEnv([]string{"NAME=completed"})})
	if key := p.task(again).Env; key != envs["completed"] {
		t.Errorf("the environment has the key %s, want %s", key, envs["completed"])
	}
	if n := p.dropEnvironments(); n != 0 {
		t.Errorf("the environment of a new task was removed")
	}
}

// Tasks come and complete while environments are removed: those that have not
// ended never lose theirs.
func TestDropEnvironmentsMeanwhile(t *testing.T) {
	t.Parallel()
	p := newUnchecked(t, sqlite.Options{})
	const rounds = 15
	done := make(chan struct{})
	dropped := 0
	var dropping, busy sync.WaitGroup
	dropping.Go(func() {
		for {
			dropped += p.dropEnvironments()
			select {
			case <-done:
				return
			default:
			}
		}
	})
	for range 3 {
		busy.Go(func() {
			for i := range rounds {
				env := EncodeEnv([]string{"N=" + string(rune('a'+i%2))})
				tid := p.submission(Submission{Spec: echo(), Item: "item", Dir: p.root, Env: env})
				if _, err := p.b.Record(ctx, envKind, p.task(tid).Env); err != nil {
					t.Errorf("a task that waits: %v", err)
				}
				p.run(tid)
				if err := p.finish(handOff(tid, taskspec.Exited(0, ""))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	busy.Wait()
	close(done)
	dropping.Wait()
	if dropped+p.dropEnvironments() < 2 {
		t.Errorf("%d environments were removed, want at least those two", dropped)
	}
}

func TestParseOutputFile(t *testing.T) {
	t.Parallel()
	const tid = "1790000000000000000"
	for _, a := range []Attempt{{TID: tid, Epoch: 1, Stream: Stdout}, {TID: tid, Epoch: 12, Stream: Stderr}} {
		got, ok := ParseOutputFile(filepath.Base(OutputFile("dir", a.TID, a.Epoch, a.Stream)))
		if !ok || got != a {
			t.Errorf("got %+v, %t, want %+v", got, ok, a)
		}
	}
	for _, name := range []string{
		"", tid, tid + ".1", tid + ".1.out.gz", tid + ".1.log", tid + ".0.out", tid + ".01.out", tid + ".-1.out", tid + ".+1.out",
		tid + "..out", "x.1.out", "-" + tid + ".1.out", ".1.out", tid + ".1.OUT",
	} {
		if a, ok := ParseOutputFile(name); ok {
			t.Errorf("%q was taken for %+v", name, a)
		}
	}
	const input = "0123456789abcdef0123456789abcdef"
	if got, ok := ParseInputFile(filepath.Base(InputFile("dir", input))); !ok || got != input {
		t.Errorf("got %q, %t, want %q", got, ok, input)
	}
	for _, name := range []string{input, ".in", "notes.in", input[1:] + ".in", input + "0.in", input[1:] + "G.in"} {
		if _, ok := ParseInputFile(name); ok {
			t.Errorf("%q was taken for an input", name)
		}
	}
}

// kept returns the kept output of a task, after its result was taken.
func (p *project) kept(tid string) (body string, found bool) {
	p.Helper()
	err := p.b.View(ctx, func(r broker.Reader) (err error) {
		body, found, err = KeptOutput(r, p.task(tid))
		return err
	})
	if err != nil {
		p.Fatal(err)
	}
	return body, found
}

// needs asks for both streams of an attempt.
func (p *project) needs(tid string, epoch int) (out, err bool) {
	p.Helper()
	ask := func(s Stream) (needed bool) {
		e := p.b.View(ctx, func(r broker.Reader) (err error) {
			needed, err = Attempt{TID: tid, Epoch: epoch, Stream: s}.Needed(r)
			return err
		})
		if e != nil {
			p.Fatal(e)
		}
		return needed
	}
	return ask(Stdout), ask(Stderr)
}

func TestNeeded(t *testing.T) {
	t.Parallel()
	p := newUnchecked(t, sqlite.Options{})
	want := func(what, tid string, epoch int, wantOut, wantErr bool) {
		t.Helper()
		if out, err := p.needs(tid, epoch); out != wantOut || err != wantErr {
			t.Errorf("%s: stdout is needed %t and stderr %t, want %t and %t", what, out, err, wantOut, wantErr)
		}
	}
	finished := func(edit func(*HandOff)) string {
		tid := p.submit()
		p.run(tid)
		h := handOff(tid, taskspec.Exited(0, ""))
		edit(h)
		if err := p.finish(h); err != nil {
			t.Fatal(err)
		}
		return tid
	}
	running := p.submit()
	p.run(running)
	want("running", running, 1, true, true)
	want("an earlier attempt", running, 0, false, false)
	want("a later attempt", running, 2, false, false)
	want("unknown", "1790000000000000000", 1, false, false)

	want("small", finished(func(*HandOff) {}), 1, false, false)
	large := finished(func(h *HandOff) { h.Output = Output{Form: FormFile, Size: 1 << 30} })
	want("large", large, 1, true, false)
	want("an earlier attempt at a large one", large, 2, false, false)
	long := finished(func(h *HandOff) { h.Output.Stderr, h.Output.StderrSize = []byte("end"), 1<<20 })
	want("long standard error", long, 1, false, true)
	for _, tid := range []string{large, long} {
		if _, err := p.b.Queue(QueuesOf(tid).Outbox).Read(ctx); err != nil {
			t.Fatal(err)
		}
		want("taken", tid, 1, tid == large, tid == long)
	}
	p.update(func(tx *broker.Tx) error { return MarkLost(tx, running, 1, at) })
	want("lost", running, 1, true, true)
}

func TestUseOfInputs(t *testing.T) {
	t.Parallel()
	p := newUnchecked(t, sqlite.Options{})
	task := func(input string, onError taskspec.Policy) string {
		return p.submission(Submission{Spec: echo(policies(onError, onError)), Item: "item", Input: input, Dir: p.root, Env: "A=1"})
	}
	ended := func(input string, onError taskspec.Policy, o taskspec.Outcome) string {
		tid := task(input, onError)
		p.run(tid)
		if err := p.finish(handOff(tid, o)); err != nil {
			t.Fatal(err)
		}
		return tid
	}
	task("created", taskspec.PolicyKeep)
	p.run(task("running", taskspec.PolicyKeep))
	ended("completed", taskspec.PolicyKeep, taskspec.Exited(0, ""))
	ended("kept", taskspec.PolicyKeep, taskspec.Exited(1, ""))
	ended("requeued", taskspec.PolicyRequeue, taskspec.Exited(1, ""))
	ended("cleared", taskspec.PolicyClear, taskspec.Exited(1, ""))
	deleted := ended("deleted", taskspec.PolicyKeep, taskspec.Killed())
	if _, err := p.b.Queue(QueuesOf(deleted).Reserved).Read(ctx); err != nil {
		t.Fatal(err)
	}
	want := map[string]InputUse{
		"created": InputNeeded, "running": InputNeeded, "kept": InputNeeded, "requeued": InputNeeded,
		"completed": InputUnused, "cleared": InputUnused, "deleted": InputUnused,
		"nobody's": InputUnknown,
	}
	got := maps.Clone(want)
	for name := range got {
		got[name] = InputUnknown
	}
	if err := p.b.View(ctx, func(r broker.Reader) error { return UseOfInputs(r, got) }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("uses (-want +got):\n%s", diff)
	}
}
