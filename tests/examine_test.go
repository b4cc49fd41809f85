//go:build linux

package weft_test

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"errors"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	_ "modernc.org/sqlite" // an eye of its own on the store

	"weft/broker"
	"weft/internal/ledger"
	"weft/taskspec"
)

// examine looks at the store of a project in which everything has ended, and
// closes it: every task has one end and at most one result, every message is
// where it belongs, and the file is whole.
func (p *project) examine() {
	p.t.Helper()
	held, seen := p.held(), p.history()
	for _, task := range p.tasks() {
		p.examineTask(task, held, seen[task.TID])
	}
	delete(held, ledger.Log)
	delete(held, ledger.ManagerReplies)
	if len(held[ledger.TakenOutputs]) == 0 { // else of no task
		delete(held, ledger.TakenOutputs)
	}
	for queue, ids := range held {
		p.t.Errorf("%d messages are left in %s", len(ids), queue)
	}
	if err := p.project.Close(); err != nil {
		p.t.Error(err)
	}
	p.checkIntegrity()
}

// held is which messages are in which queues.
func (p *project) held() map[string][]broker.ID {
	p.t.Helper()
	held := make(map[string][]broker.ID)
	for queue, err := range p.project.Broker().Queues(broker.Pattern{}).Names(p.ctx) {
		if err != nil {
			p.t.Fatal(err)
		}
		for m, err := range p.project.Queue(queue).Messages(p.ctx, broker.Select{}) {
			if err != nil {
				p.t.Fatal(err)
			}
			held[queue] = append(held[queue], m.ID)
		}
	}
	return held
}

// marks are what the log says of one task.
type marks struct{ begun, starts, retries, ends int }

// history reads the log of the project.
func (p *project) history() map[string]marks {
	p.t.Helper()
	seen := make(map[string]marks)
	for m, err := range p.project.Queue(ledger.Log).Messages(p.ctx, broker.Select{}) {
		if err != nil {
			p.t.Fatal(err)
		}
		var e ledger.Event
		if err := json.Unmarshal([]byte(m.Body), &e); err != nil {
			p.t.Fatalf("event %s: %v", m.Body, err)
		}
		s := seen[e.TID]
		switch {
		case e.Event == "task_initialized":
			s.begun++
		case e.Event == "work_started":
			s.starts++
		case e.Event == "task_retried":
			s.retries++
		case e.Status.Terminal() && strings.HasPrefix(e.Event, "work_"):
			s.ends++
		}
		seen[e.TID] = s
	}
	return seen
}

// examineTask checks one task that has ended, and takes its messages out of
// those held.
func (p *project) examineTask(t *ledger.Task, held map[string][]broker.ID, seen marks) {
	p.t.Helper()
	if want := (marks{begun: 1, starts: t.Epoch, retries: seen.retries, ends: 1 + seen.retries}); seen != want {
		p.t.Errorf("task %s (%s, %s): events %+v, want %+v", t.TID, t.Name, t.Status, seen, want)
	}
	q := t.Queues()
	if t.Items != nil { // its tests know what must be where
		for _, queue := range []string{q.Inbox, q.Reserved, q.Outbox} {
			delete(held, queue)
		}
		return
	}
	chunks := bytes.Contains(t.Spec, []byte(`"interactive":true`)) // which nobody had to read
	if n := len(held[q.Outbox]); n > 1 && !chunks || n == 1 && t.Output.Form == ledger.FormNone {
		p.t.Errorf("task %s (%s): %d results, form %q", t.TID, t.Status, n, t.Output.Form)
	}
	policy := p.policyFor(t)
	for queue, keeps := range map[string]taskspec.Policy{q.Reserved: taskspec.PolicyKeep, q.Inbox: taskspec.PolicyRequeue} {
		var kept []broker.ID
		if t.Message != 0 && policy == keeps {
			kept = []broker.ID{t.Message}
		}
		if got := held[queue]; !slices.Equal(got, kept) {
			p.t.Errorf("task %s (%s, %s): %s holds %v, want %v", t.TID, t.Status, policy, queue, got, kept)
		}
		delete(held, queue)
	}
	delete(held, q.Outbox)
	if i := slices.Index(held[ledger.TakenOutputs], t.Result); i >= 0 {
		held[ledger.TakenOutputs] = slices.Delete(held[ledger.TakenOutputs], i, i+1)
	}
	p.examineAttempts(t, held[q.Attempts])
	delete(held, q.Attempts)
}

// examineAttempts checks that each kept attempt that was followed by another has its
// result, if it reported one.
func (p *project) examineAttempts(t *ledger.Task, results []broker.ID) {
	p.t.Helper()
	var want []broker.ID
	for epoch := 1; epoch <= t.Epoch; epoch++ {
		var past *ledger.Task
		err := p.project.Broker().View(p.ctx, func(r broker.Reader) (err error) {
			past, err = ledger.PastAttempt(r, t.TID, epoch)
			return err
		})
		switch {
		case errors.Is(err, broker.ErrNotFound): // a client asked for the one after it
		case err != nil:
			p.t.Fatal(err)
		case past.Result != 0:
			want = append(want, past.Result)
		}
	}
	if !slices.Equal(results, want) {
		p.t.Errorf("task %s (%s): results %v of attempts that others followed, want %v", t.TID, t.Name, results, want)
	}
}

// policyFor is the policy that decided what became of the work item of a task
// that has ended.
func (p *project) policyFor(t *ledger.Task) taskspec.Policy {
	p.t.Helper()
	if t.Status == taskspec.StatusCompleted || len(t.Spec) == 0 {
		return taskspec.PolicyClear
	}
	var spec taskspec.Spec
	if err := json.Unmarshal(t.Spec, &spec); err != nil {
		p.t.Fatal(err)
	}
	if t.Status == taskspec.StatusCancelled || t.Error == taskspec.Killed().Error {
		return spec.StopPolicy()
	}
	return spec.ErrorPolicy()
}

// checkIntegrity lets SQLite check the file, which no process has open any more.
func (p *project) checkIntegrity() {
	p.t.Helper()
	files, err := filepath.Glob(filepath.Join(p.dir, ledger.Dir, "*.db"))
	if err != nil || len(files) != 1 {
		p.t.Fatalf("look for the store: %q, %v", files, err)
	}
	u := url.URL{Scheme: "file", Path: files[0]}
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		p.t.Fatal(err)
	}
	defer db.Close()
	for _, check := range []struct{ query, want string }{
		{"PRAGMA integrity_check", "ok"},
		// Requests and the marks of nested ones must have gone with their tasks.
		{"SELECT count(*) FROM messages WHERE queue LIKE 'weft.spawn.%'", "0"},
		{"SELECT count(*) FROM record WHERE kind IN ('nested', 'pending')", "0"},
	} {
		var got string
		if err := db.QueryRow(check.query).Scan(&got); err != nil || got != check.want {
			p.t.Errorf("%s: %q, %v; want %q", check.query, got, err, check.want)
		}
	}
}
