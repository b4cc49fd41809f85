package ledger

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"weft/broker"
	"weft/broker/sqlite"
	"weft/taskspec"
)

// bounded is a spec with a concurrency key.
func bounded(key string, limit int) func(*taskspec.Spec) {
	return func(s *taskspec.Spec) { s.Concurrency = &taskspec.Concurrency{Key: key, Limit: &limit} }
}

func TestAdmits(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ limit, running, want int }{
		{1, 0, 1}, {1, 1, 0}, {4, 1, 3}, {4, 4, 0},
		{1, 3, 0}, // the limit was lowered
	} {
		if got := admits(test.limit, test.running); got != test.want {
			t.Errorf("with limit %d and %d running %d may run, want %d", test.limit, test.running, got, test.want)
		}
	}
}

// use returns what KeyUse does.
func (p *project) use(key string) (running, limit int) {
	p.Helper()
	if err := p.b.View(ctx, func(r broker.Reader) (err error) {
		running, limit, err = KeyUse(r, key)
		return err
	}); err != nil {
		p.Fatal(err)
	}
	return running, limit
}

// The others wait in order, hold up nobody, and leave nothing behind.
func TestConcurrency(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	first, second, third := p.submit(bounded("k", 1)), p.submit(bounded("k", 1)), p.submit(bounded("k", 1))
	plain, other := p.submit(), p.submit(bounded("other", 1))
	if diff := cmp.Diff([]string{first, plain, other}, p.requests()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	if running, limit := p.use("k"); running != 1 || limit != 1 {
		t.Errorf("%d of %d run", running, limit)
	}
	p.run(first)
	if err := p.finish(handOff(first, taskspec.Exited(1, ""))); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{second, plain, other}, p.requests()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	// A newer submission raises the limit for all.
	fourth := p.submit(bounded("k", 3))
	if diff := cmp.Diff([]string{second, third, plain, other, fourth}, p.requests()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	for _, tid := range []string{second, third, fourth, other} {
		p.update(func(tx *broker.Tx) error { _, err := End(tx, tid, CommandStop, at); return err })
	}
	if s := p.state(); len(s.Records[indexKind])+len(s.Records[concurrencyKind]) > 0 {
		t.Errorf("left behind: %v %v", s.Records[indexKind], s.Records[concurrencyKind])
	}
}

// What is submitted at once, by hand or with a delay waits like everything else; so does a
// function that runs inside its program.
func TestConcurrencyOfOtherRequests(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	var all []Submission
	for range 3 {
		all = append(all, Submission{Spec: echo(bounded("k", 2)), Item: "item", Dir: p.root})
	}
	var accepted []Accepted
	p.update(func(tx *broker.Tx) (err error) { accepted, _, err = SubmitAll(tx, all, at); return err })
	if want := []string{accepted[0].TID, accepted[1].TID}; !slices.Equal(p.requests(), want) {
		t.Errorf("requests %v, want %v", p.requests(), want)
	}
	late := p.submit(bounded("k", 2), delayed(time.Minute))
	byHand := p.write(Requests, `{"name":"by hand","spec":{"type":"command","process_target":"true","concurrency":{"key":"k","limit":2}}}`).String()
	j := p.prepare(byHand)
	if !j.NotForConsumer() {
		t.Fatalf("it does not wait: %s", j.Refused())
	}
	p.update(func(tx *broker.Tx) error { return Forward(tx, j, at) })
	p.promote(at.Add(time.Hour))
	inline := p.submission(Submission{Spec: &taskspec.Spec{Name: "f", Work: taskspec.Work{
		Type: taskspec.KindFunction, FunctionTarget: "f", Isolation: taskspec.IsolationInline,
		Concurrency: &taskspec.Concurrency{Key: "k", Limit: new(2)},
	}}, Item: "{}"})
	waiting := func() (tids []string) {
		for m, err := range p.b.Queue(WaitingRequests).Messages(ctx, broker.Select{}) {
			if err != nil {
				t.Fatal(err)
			}
			tids = append(tids, m.ID.String())
		}
		return tids
	}
	if want := []string{accepted[2].TID, late, byHand, inline}; !slices.Equal(waiting(), want) {
		t.Errorf("wait: %v, want %v", waiting(), want)
	}
	for _, tid := range []string{accepted[0].TID, accepted[1].TID, accepted[2].TID, late, byHand} {
		p.update(func(tx *broker.Tx) error { _, err := End(tx, tid, CommandKill, at); return err })
	}
	if got := p.bodies(InlineRequests("f")); len(got) != 1 || len(waiting()) != 0 {
		t.Errorf("%d requests for the function, and %v wait", len(got), waiting())
	}
}

// Where a dump is loaded as many run as here, in the same order.
func TestLoadConcurrency(t *testing.T) {
	t.Parallel()
	p, other := newProject(t, sqlite.Options{}), newProject(t, sqlite.Options{})
	var tids []string
	for range 4 {
		tids = append(tids, p.submit(bounded("k", 2)))
	}
	p.run(tids[0])
	dump := p.dump(false, true)
	other.mustLoad(dump, true)
	if got := other.requests(); !slices.Equal(got, tids[1:3]) {
		t.Errorf("requests %v, want %v", got, tids[1:3])
	}
	other.mustLoad(dump, true)
	if running, limit := other.use("k"); running != 2 || limit != 2 {
		t.Errorf("%d of %d run", running, limit)
	}
}

// The place of a task whose record is damaged is free after the repair, and one that cannot
// be read, or whose request was deleted, holds up nobody.
func TestConcurrencyOfDamaged(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	holder, bad, deleted, last := p.submit(bounded("k", 1)), p.submit(bounded("k", 1)), p.submit(bounded("k", 1)), p.submit(bounded("k", 1))
	for _, tid := range []string{holder, bad} {
		rec, err := p.b.Record(ctx, Kind, tid)
		if err != nil {
			t.Fatal(err)
		}
		rec.Body = "{"
		p.update(func(tx *broker.Tx) error { return tx.PutRecord(rec) })
	}
	id, _ := broker.ParseID(deleted)
	p.update(func(tx *broker.Tx) error { _, err := tx.Delete(WaitingRequests, broker.Select{ID: id}); return err })
	repair := func(tid string) {
		var r *Repair
		if err := p.b.View(ctx, func(v broker.Reader) error {
			found, err := FindDamage(ctx, v)
			for _, d := range found {
				if err == nil && d.Record.Key == tid {
					r, err = PrepareRepair(v, d)
				}
			}
			return err
		}); err != nil || r == nil {
			t.Fatalf("repair %s: %v, %v", tid, r, err)
		}
		p.update(func(tx *broker.Tx) error { _, err := r.Apply(tx, at); return err })
	}
	repair(holder)
	if got := p.requests(); !slices.Equal(got, []string{last}) {
		t.Errorf("requests %v, want %s", got, last)
	}
	repair(bad)
	p.update(func(tx *broker.Tx) error { _, err := End(tx, deleted, CommandStop, at); return err })
}

// keyModel is who should run and wait for one key.
type keyModel struct {
	limit    int
	admitted map[string]bool
	waiting  []string // sorted
}

// settle admits who may run.
func (k *keyModel) settle() {
	slices.Sort(k.waiting)
	for len(k.waiting) > 0 && len(k.admitted) < k.limit {
		k.admitted[k.waiting[0]] = true
		k.waiting = k.waiting[1:]
	}
}

// leave takes a task out.
func (k *keyModel) leave(tid string) {
	delete(k.admitted, tid)
	k.waiting = slices.DeleteFunc(k.waiting, func(other string) bool { return other == tid })
}

// TestConcurrencyRandom compares the lanes of two keys with a model, whatever is submitted,
// run, ended, lost, retried and promoted in which order: never more run than the limit says
// unless that was lowered, the others wait in order, and none is forgotten.
func TestConcurrencyRandom(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	round := 0
	rapid.Check(t, func(rt *rapid.T) {
		round++
		p := &project{rt, p.b, p.root}
		names := []string{fmt.Sprint("a", round), fmt.Sprint("b", round)} // a round that failed leaves something
		keys := map[string]*keyModel{}
		for _, name := range names {
			keys[name] = &keyModel{admitted: make(map[string]bool)}
		}
		keyOf, status, epoch, delay, retry := map[string]string{}, map[string]taskspec.Status{}, map[string]int{}, map[string]bool{}, map[string]bool{}
		var all []string
		now := at
		is := func(want ...taskspec.Status) func(string) bool {
			return func(tid string) bool { return slices.Contains(want, status[tid]) }
		}
		some := func(which func(string) bool) string {
			var found []string
			for _, tid := range all {
				if which(tid) {
					found = append(found, tid)
				}
			}
			if len(found) == 0 {
				rt.Skip("none is so")
			}
			return rapid.SampledFrom(found).Draw(rt, "task")
		}
		begin := func(tid string) {
			if k := keys[keyOf[tid]]; k != nil {
				if len(k.admitted)+len(k.waiting) == 0 && k.limit == 0 {
					k.limit = p.task(tid).Concurrency.Limit
				}
				k.waiting = append(k.waiting, tid)
				k.settle()
			}
		}
		leave := func(tid string) {
			if k := keys[keyOf[tid]]; k != nil {
				k.leave(tid)
				if k.settle(); len(k.admitted) == 0 {
					k.limit = 0 // the key is not in use
				}
			}
		}
		ended := func(tid string, as taskspec.Status) {
			again := as == taskspec.StatusFailed && retry[tid]
			if status[tid] = as; again {
				status[tid] = taskspec.StatusCreated
				retry[tid] = false
			}
			k := keys[keyOf[tid]]
			if again && k != nil { // it is the oldest again
				k.leave(tid)
				k.waiting = append(k.waiting, tid)
				k.settle()
				return
			}
			leave(tid)
		}
		rt.Repeat(map[string]func(*rapid.T){
			"submit": func(*rapid.T) {
				key := rapid.SampledFrom(append(names, "")).Draw(rt, "key")
				var edit []func(*taskspec.Spec)
				limit := rapid.IntRange(1, 3).Draw(rt, "limit")
				if key != "" {
					edit = append(edit, bounded(key, limit))
				}
				waits, again := rapid.Bool().Draw(rt, "delayed"), rapid.Bool().Draw(rt, "retried")
				if waits {
					edit = append(edit, delayed(time.Minute))
				}
				if again {
					edit = append(edit, retries(2, 0))
				}
				tid := p.submit(edit...)
				all, keyOf[tid], status[tid], delay[tid], retry[tid] = append(all, tid), key, taskspec.StatusCreated, waits, again
				if k := keys[key]; k != nil {
					if k.limit = limit; len(k.admitted)+len(k.waiting) == 0 && waits {
						k.limit = 0 // it sets it again when it is due
					}
					k.settle()
				}
				if !waits {
					begin(tid)
				}
			},
			"run": func(*rapid.T) {
				tid := some(func(tid string) bool { return slices.Contains(p.requests(), tid) })
				p.run(tid)
				status[tid] = taskspec.StatusRunning
				epoch[tid]++
			},
			"finish": func(*rapid.T) {
				tid := some(is(taskspec.StatusRunning))
				o := rapid.SampledFrom([]taskspec.Outcome{taskspec.Exited(0, ""), taskspec.Exited(1, "")}).Draw(rt, "outcome")
				h := handOff(tid, o)
				h.Epoch = epoch[tid]
				if err := p.finish(h); err != nil {
					rt.Fatal(err)
				}
				ended(tid, o.Status)
			},
			"lose": func(*rapid.T) {
				tid := some(is(taskspec.StatusRunning))
				p.update(func(tx *broker.Tx) error { return MarkLost(tx, tid, epoch[tid], now) })
				ended(tid, taskspec.StatusFailed)
			},
			"stop waiting": func(*rapid.T) {
				tid := some(is(taskspec.StatusCreated))
				p.update(func(tx *broker.Tx) error { _, err := End(tx, tid, CommandStop, now); return err })
				delay[tid] = false
				ended(tid, taskspec.StatusCancelled)
			},
			"retry": func(*rapid.T) {
				tid := some(func(tid string) bool { return is(taskspec.StatusFailed)(tid) })
				p.update(func(tx *broker.Tx) error { _, _, err := Retry(tx, tid, now); return err })
				status[tid] = taskspec.StatusCreated
				retry[tid] = p.task(tid).MaxAttempts > 1
				begin(tid)
			},
			"promote": func(*rapid.T) {
				now = now.Add(time.Hour)
				p.promote(now)
				for _, tid := range all {
					if delay[tid] {
						delay[tid] = false
						begin(tid)
					}
				}
			},
			"": func(rt *rapid.T) {
				for key, k := range keys {
					for lane, want := range map[string][]string{laneAdmitted + key: slices.Sorted(maps.Keys(k.admitted)), laneKey + key: k.waiting} {
						recs, err := p.b.Records(ctx, indexKind, broker.RecordSelect{States: []string{lane}})
						if err != nil {
							rt.Fatal(err)
						}
						var got []string
						for _, r := range recs {
							got = append(got, r.Key)
						}
						if !slices.Equal(got, want) {
							rt.Fatalf("%s: %v, want %v", lane, got, want)
						}
					}
				}
				requests := p.requests()
				for _, tid := range all {
					k := keys[keyOf[tid]]
					can := status[tid] == taskspec.StatusCreated && !delay[tid] && (k == nil || k.admitted[tid])
					if slices.Contains(requests, tid) != can {
						rt.Fatalf("task %s with key %q can run: %v, and the store says %v", tid, keyOf[tid], can, !can)
					}
				}
			},
		})
		for _, tid := range all { // the next round has keys that are not in use
			p.update(func(tx *broker.Tx) error {
				if status[tid] == taskspec.StatusRunning {
					return MarkLost(tx, tid, epoch[tid], now)
				}
				return nil
			})
		}
		for _, tid := range all {
			p.update(func(tx *broker.Tx) error { _, err := End(tx, tid, CommandStop, now); return err })
		}
	})
}
