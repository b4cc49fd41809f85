package ledger

import (
	"slices"
	"testing"

	"weft/broker"
	"weft/broker/sqlite"
	"weft/taskspec"
)

// TestAgainWithdraws: an attempt that is made again takes its result back from the
// queue that it went to, if nobody has it, and nothing else.
func TestAgainWithdraws(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	tid := p.submission(Submission{Spec: echo(func(s *taskspec.Spec) { s.IO.Outputs = map[string]string{"outbox": "clean.data"} }), Item: noItem, Dir: p.root})
	p.run(tid)
	if err := p.finish(handOff(tid, taskspec.Exited(0, ""))); err != nil {
		t.Fatal(err)
	}
	p.write("clean.data", "another")
	if got := p.bodies("clean.data"); !slices.Equal(got, []string{"result", "another"}) {
		t.Errorf("queue holds %q", got)
	}
	p.update(func(tx *broker.Tx) error { _, _, err := Retry(tx, tid, at); return err })
	if got := p.bodies("clean.data"); !slices.Equal(got, []string{"another"}) {
		t.Errorf("queue holds %q", got)
	}
	if left := p.state().Records[resultCopyKind]; len(left) > 0 {
		t.Errorf("copies are left: %v", left)
	}
}
