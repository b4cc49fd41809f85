package ledger

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weft/broker"
	"weft/broker/sqlite"
	"weft/taskspec"
)

// ids are what two tasks that are the same differ in.
var ids = regexp.MustCompile(`"tid_short":"\d+"|\d{19}`)

// TestBegin begins tasks in the transaction that submits them, and others as their
// requests come to a program: what is recorded of them is the same.
func TestBegin(t *testing.T) {
	t.Parallel()
	submission := func(edit func(*Submission)) func() Submission {
		return func() Submission {
			s := Submission{Item: noItem, Dir: "/home/ann", Spec: &taskspec.Spec{
				Name: "call", Work: taskspec.Work{Type: taskspec.KindFunction, FunctionTarget: "f", Isolation: taskspec.IsolationInline},
			}}
			edit(&s)
			return s
		}
	}
	for name, made := range map[string]func() Submission{
		"nothing": submission(func(*Submission) {}),
		"arguments": submission(func(s *Submission) {
			s.Spec.Args = []any{"9999999999999999999", 1795948706796580864, map[string]any{"<b>": nil}}
		}),
		"item":    submission(func(s *Submission) { s.Item = `{"kwargs":{"a":1}}` }),
		"parent":  submission(func(s *Submission) { s.Parent = "1795948706796580864" }),
		"key":     submission(func(s *Submission) { s.Spec.Key = fmt.Sprint("key ", &s) }),
		"retry":   submission(func(s *Submission) { s.Spec.Retry = new(taskspec.RetryPolicy) }),
		"timeout": submission(func(s *Submission) { s.Spec.Timeout = 2500 * time.Millisecond }),
		"outbox":  submission(func(s *Submission) { s.Spec.IO.Outputs = map[string]string{"outbox": "clean.data"} }),
		"secrets": submission(func(s *Submission) {
			s.Spec.KeywordArgs = map[string]any{"token": "secret"}
			s.Redact = []string{"spec.keyword_args.token"}
		}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
			p.host("/bin/host", 1, "f")
			d, err := made().Prepare(p.root, broker.MaxMessageBytes)
			if err != nil || d == nil {
				t.Fatalf("draft: %v, %v", d, err)
			}
			var here *Started
			p.update(func(tx *broker.Tx) error {
				for range 2 { // as a transaction may run again
					if here, err = d.Start(tx, consumer, at); err != nil {
						return err
					}
					if here.Task.Key != "" {
						return nil // the second one would find it held
					}
				}
				return nil
			})
			s := made()
			if s.Spec.Key != "" {
				s.Spec.Key = "another"
			}
			there := p.submission(s)
			var j *Job
			err = p.b.View(ctx, func(r broker.Reader) error {
				ms, err := r.Messages(InlineRequests("f"), broker.Select{})
				if err == nil {
					j, err = Prepare(r, p.root, Ready{Request: ms[0]})
				}
				return err
			})
			if err != nil || j.Refused() != "" {
				t.Fatalf("prepare: %v, %s", err, j.Refused())
			}
			p.update(func(tx *broker.Tx) error {
				_, err := Dispatch(tx, j, consumer, at)
				return err
			})
			same := func(what, one, other string) {
				if diff := cmp.Diff(one, other); diff != "" {
					t.Errorf("%s (-here +there):\n%s", what, diff)
				}
			}
			told := func(tid string) string {
				events := slices.DeleteFunc(p.bodies(Log), func(body string) bool { return !strings.Contains(body, `"tid":"`+tid) })
				record, err := json.Marshal(p.task(tid))
				if err != nil {
					t.Fatal(err)
				}
				text := ids.ReplaceAllString(strings.Join(append(events, string(record)), "\n"), "#")
				return strings.NewReplacer("key ", "", s.Spec.Key, "KEY").Replace(text)
			}
			if s.Spec.Key == "" {
				same("history and record", told(here.Task.TID), told(there))
			}
			same("call", fmt.Sprintf("%s %+v", here.Job.Function.Call, here.Job.Work.Env), fmt.Sprintf("%s %+v", j.Function.Call, j.Work.Env))
		})
	}
}

// TestTaken hands a result over instead of writing it, and says of a task whether that
// may be.
func TestTaken(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	for _, test := range []struct {
		name string
		edit func(*taskspec.Spec)
		end  func(*HandOff)
		may  bool
	}{
		{"a text", func(*taskspec.Spec) {}, func(*HandOff) {}, true},
		{"a file", func(*taskspec.Spec) {}, func(h *HandOff) { h.Output.Form = FormFile }, false},
		{"a text that was in a file", func(*taskspec.Spec) {}, func(h *HandOff) { h.Output.InMemory = false }, false},
		{"a stream", func(s *taskspec.Spec) { s.StreamOutput = true }, func(*HandOff) {}, false},
		{"attempts", func(s *taskspec.Spec) { s.Retry = new(taskspec.RetryPolicy) }, func(*HandOff) {}, false},
		{"a queue of the user's", func(s *taskspec.Spec) { s.IO.Outputs = map[string]string{"outbox": "clean.data"} }, func(*HandOff) {}, false},
	} {
		tid := p.submit(test.edit)
		p.run(tid)
		h := handOff(tid, taskspec.Exited(0, ""))
		h.Output.InMemory = true
		test.end(h)
		if may := h.Consumable(p.task(tid)); may != test.may {
			t.Errorf("%s may be handed over: %t", test.name, may)
		}
		h.Consumed = test.may
		if err := p.finish(h); err != nil {
			t.Fatal(err)
		}
		if !test.may {
			continue
		}
		task := p.task(tid)
		if left := p.bodies(OutboxOf(tid)); len(left) > 0 || task.Result == 0 || task.Output.Form != FormText {
			t.Errorf("%s: in the outbox is %q, and the record says %v, %+v", test.name, left, task.Result, task.Output)
		}
		err := p.b.View(ctx, func(r broker.Reader) error {
			if _, found, err := ResultMessage(r, task); found || err != nil {
				t.Errorf("%s: its result is there: %t, %v", test.name, found, err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if body, kept := p.kept(tid); kept != (len(h.Result) > 0) || body != string(h.Result) {
			t.Errorf("%s: %q is kept, %t; want %q", test.name, body, kept, h.Result)
		}
		// For the check that follows, which knows only results that nobody has taken.
		p.update(func(tx *broker.Tx) error {
			if _, err := tx.Delete(TakenOutputs, broker.Select{}); err != nil {
				return err
			}
			return tx.Restore(broker.Message{ID: task.Result, Queue: OutboxOf(tid), Body: string(h.Result)})
		})
	}
}
