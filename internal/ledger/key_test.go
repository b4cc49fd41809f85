package ledger

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weft/broker"
	"weft/broker/sqlite"
	"weft/taskspec"
)

func withKey(key string) func(*taskspec.Spec) { return func(s *taskspec.Spec) { s.Key = key } }

// again submits tasks in one transaction and says what became of them.
func (p *project) again(all ...Submission) (accepted []Accepted) {
	p.Helper()
	p.update(func(tx *broker.Tx) (err error) {
		accepted, _, err = SubmitAll(tx, all, at)
		return err
	})
	return accepted
}

func keyed(edit ...func(*taskspec.Spec)) Submission {
	return Submission{Spec: echo(append(edit, withKey("k"))...), Item: "item", Dir: "/", Env: EncodeEnv([]string{"A=1"})}
}

// TestKeyHeld submits again what a task holds the key of, in every respect the
// same or not.
func TestKeyHeld(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	first := p.again(keyed())[0]
	if first.Existing || p.task(first.TID).Key != "k" {
		t.Fatalf("the first is %+v", first)
	}
	before := p.state()
	elsewhere := keyed()
	elsewhere.Dir, elsewhere.Env, elsewhere.Parent = "/elsewhere", EncodeEnv([]string{"A=2"}), first.TID
	item, input := keyed(), keyed()
	item.Item = "another"
	input.InputSum = "sum"
	for name, test := range map[string]struct {
		s     Submission
		other bool
	}{
		"the same":       {keyed(), false},
		"from elsewhere": {elsewhere, false},
		"another spec":   {keyed(func(s *taskspec.Spec) { s.Description = "d" }), true},
		"another item":   {item, true},
		"another input":  {input, true},
	} {
		want := Accepted{TID: first.TID, Existing: true, Other: test.other}
		if got := p.again(test.s)[0]; got != want {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
	p.unchanged(before)

	// The key holds to the end and beyond, and through a retry.
	p.run(first.TID)
	if err := p.finish(handOff(first.TID, taskspec.Exited(0, ""))); err != nil {
		t.Fatal(err)
	}
	ended := Accepted{TID: first.TID, Existing: true, Ended: true}
	if got := p.again(keyed())[0]; got != ended {
		t.Errorf("after the end: %+v", got)
	}
}

// TestKeyRetried lets a task run again that holds a key.
func TestKeyRetried(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	tid := p.submit(withKey("k"))
	p.run(tid)
	if err := p.finish(handOff(tid, taskspec.Exited(1, ""))); err != nil {
		t.Fatal(err)
	}
	p.update(func(tx *broker.Tx) error {
		_, _, err := Retry(tx, tid, at)
		return err
	})
	if task := p.task(tid); task.Key != "k" {
		t.Errorf("retried, it is %+v", task)
	}
	if j := p.prepare(tid); j.refused != "" {
		t.Errorf("retried, it is refused: %s", j.refused)
	}
}

// TestKeysAtOnce submits one key several times in one transaction.
func TestKeysAtOnce(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	plain := Submission{Spec: echo(), Env: keyed().Env}
	got := p.again(plain, keyed(), plain, keyed())
	want := []Accepted{{TID: got[0].TID}, {TID: got[1].TID}, {TID: got[2].TID}, {TID: got[1].TID, Existing: true}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("accepted (-want +got):\n%s", diff)
	}
	if requests := p.bodies(Requests); len(requests) != 3 {
		t.Errorf("%d requests, want 3", len(requests))
	}
}

// TestKeyDropped removes tasks that hold a key.
func TestKeyDropped(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	first := p.task(p.submission(keyed()))
	// Its record goes, and its key is left: it holds nothing.
	p.update(func(tx *broker.Tx) error {
		_, err := tx.Delete(Requests, broker.Select{ID: first.Number()})
		return errors.Join(err, tx.DeleteRecord(Kind, first.TID))
	})
	second := p.task(p.submission(keyed()))
	if second.TID == first.TID {
		t.Fatal("a task that is gone holds a key")
	}
	// What the first one held is the second one's now.
	p.update(func(tx *broker.Tx) error { return dropKey(tx, first) })
	if got := p.again(keyed())[0]; got.TID != second.TID {
		t.Errorf("the key is held by %+v, want %s", got, second.TID)
	}
	p.update(func(tx *broker.Tx) error { return dropKey(tx, second) })
	p.update(func(tx *broker.Tx) error { return dropKey(tx, second) }) // twice is no error
	if got := p.again(keyed())[0]; got.Existing {
		t.Errorf("a key that was dropped: %+v", got)
	}
}

// TestKeyByHand refuses a key in a request that did not go through a submission.
func TestKeyByHand(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	id := p.write(Requests, `{"name":"greet","spec":{"type":"command","process_target":"echo","key":"k"}}`)
	if j := p.prepare(id.String()); !strings.Contains(j.refused, "spec.key") {
		t.Errorf("refused: %q", j.refused)
	}
}

// TestKeyLoaded loads dumps of tasks that hold keys.
func TestKeyLoaded(t *testing.T) {
	t.Parallel()
	for _, secrets := range []bool{false, true} {
		p, other := newProject(t, sqlite.Options{}), newProject(t, sqlite.Options{})
		tid := p.submission(keyed(withEnv))
		waits := p.submit(withKey("waits"))
		p.run(tid)
		if err := p.finish(handOff(tid, taskspec.Exited(0, ""))); err != nil {
			t.Fatal(err)
		}
		dump := p.dump(false, secrets)
		if strings.Contains(dump, `digest`) != secrets {
			t.Errorf("secrets %v: a digest is in the dump, or not:\n%s", secrets, dump)
		}
		other.mustLoad(dump, false)
		want := Accepted{TID: tid, Existing: true, Ended: true}
		if got := other.again(keyed(withEnv))[0]; got != want {
			t.Errorf("secrets %v: after the load %+v, want %+v", secrets, got, want)
		}
		want.Other = true
		if got := other.again(keyed())[0]; got != want {
			t.Errorf("secrets %v: another spec after the load %+v, want %+v", secrets, got, want)
		}
		want.Other = secrets // of what is hidden nothing is told
		secret := keyed(withEnv)
		secret.Spec.Env = map[string]string{"PASSWORD": "another"}
		if got := other.again(secret)[0]; got != want {
			t.Errorf("secrets %v: another secret after the load %+v, want %+v", secrets, got, want)
		}
		other.update(func(tx *broker.Tx) error {
			here, err := tx.Record(keyKind, "k")
			if err != nil {
				return err
			}
			in := NewIntake(broker.Header{LastID: broker.ID(here.Rank), Redacted: !secrets}, false, nil, at)
			if _, verdict, err := in.key(here, &here); err != nil || verdict != broker.Skip {
				t.Errorf("secrets %v: what is there already: %v, %v", secrets, verdict, err)
			}
			return nil
		})
		// The task that waits was left out, and its key with it.
		other.update(func(tx *broker.Tx) error {
			if r, err := tx.Record(keyKind, "waits"); !errors.Is(err, broker.ErrNotFound) {
				t.Errorf("secrets %v: the key of %s is %+v, %v", secrets, waits, r, err)
			}
			return nil
		})
	}
}

// TestKeyClash loads a key that another task holds here.
func TestKeyClash(t *testing.T) {
	t.Parallel()
	p, other := newProject(t, sqlite.Options{}), newProject(t, sqlite.Options{})
	p.run(p.submission(keyed()))
	other.submission(keyed())
	before := other.state()
	if _, _, err := other.load(p.dump(false, true), false); !errors.Is(err, broker.ErrConflict) {
		t.Errorf("load: %v, want a conflict", err)
	}
	other.unchanged(before)

	for name, body := range map[string]string{"no task": `{\"tid\":\"1\"}`, "no JSON": `x`} {
		dump := p.dump(false, true)
		from := strings.Index(dump, `"kind":"key"`)
		line := dump[from : from+strings.Index(dump[from:], "\n")]
		bad := line[:strings.Index(line, `"body":"`)] + `"body":"` + body + `"}`
		if _, _, err := other.load(strings.Replace(dump, line, bad, 1), false); !errors.Is(err, broker.ErrDump) {
			t.Errorf("%s: %v, want a bad dump", name, err)
		}
	}
}
