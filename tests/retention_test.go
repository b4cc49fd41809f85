//go:build linux

package weft_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"weft"
	"weft/broker"
	"weft/internal/ledger"
	"weft/internal/waittest"
	"weft/taskspec"
)

// kept returns how many tasks, events and messages beside these a project has.
func (p *project) kept() (tasks, events, others int) {
	p.t.Helper()
	err := p.open().Broker().View(p.ctx, func(r broker.Reader) error {
		return r.Scan("", broker.Select{}, func(m broker.Message) bool {
			if m.Queue == ledger.Log {
				events++
			} else {
				others++
			}
			return true
		})
	})
	if err != nil {
		p.t.Fatal(err)
	}
	counts, err := p.open().CountTasks(p.ctx)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, n := range counts {
		tasks += n
	}
	return tasks, events, others
}

// TestRetention has a manager run more tasks than are kept, and nobody takes their results:
// when it has left, there are as many as the policy says, with their events.
func TestRetention(t *testing.T) {
	t.Parallel()
	const most = 30
	p := newProject(t, "WEFT_DURABILITY=normal", fmt.Sprint("WEFT_RETENTION_TASKS=", most))
	c := p.user()
	var tids []string
	for range 10 * most {
		c.call(call{Do: "submit", Spec: shell("echo token")})
		tids = append(tids, c.accepted())
	}
	if err := c.calls.Close(); err != nil {
		t.Fatal(err)
	}
	for _, tid := range tids {
		task, err := p.open().Task(p.ctx, tid)
		if err == nil {
			_, err = task.Wait(p.ctx)
		}
		if err != nil && !errors.Is(err, weft.ErrNoTask) { // it may be removed by now
			t.Fatal(err)
		}
	}
	if _, err := p.open().Manager().Stop(p.ctx); err != nil {
		t.Fatal(err)
	}
	p.vanish()
	tasks, events, others := p.kept()
	t.Logf("%d tasks, %d events and %d messages are kept", tasks, events, others)
	if tasks > most || tasks == 0 || others > most+5 || events > 5*most {
		t.Errorf("the policy keeps %d tasks", most)
	}
}

// TestRetentionOutput bounds what is kept by its size.
func TestRetentionOutput(t *testing.T) {
	t.Parallel()
	const size, fit = 20_000_000, 2
	p := newProject(t, "WEFT_DURABILITY=normal", fmt.Sprint("WEFT_RETENTION_OUTPUT=", fit*size+size/2))
	var tids []string
	for range 2*fit + 1 {
		c, tid := p.run(shell(`head -c "$1" /dev/zero`, fmt.Sprint(size)))
		c.line()
		tids = append(tids, tid)
	}
	if _, err := p.open().Manager().Stop(p.ctx); err != nil {
		t.Fatal(err)
	}
	p.vanish()
	p.tidy(weft.TidyOptions{})
	var left []string
	for _, l := range p.tasks() {
		left = append(left, l.TID)
	}
	if want := tids[len(tids)-fit:]; !slices.Equal(left, want) {
		t.Errorf("left are %v, want %v", left, want)
	}
	if files := p.outputs(); len(files) != fit {
		t.Errorf("files left: %v", files)
	}
}

// TestRemoveTask removes what ended, and refuses what has not.
func TestRemoveTask(t *testing.T) {
	t.Parallel()
	p := newProject(t, "WEFT_DURABILITY=normal")
	tell, proceed := p.fifo("tell"), p.fifo("proceed")
	c, tid := p.run(shell(`echo begun >"$1"; read -r line <"$2"; head -c 30000000 /dev/zero`, tell.Path, proceed.Path))
	tell.Read()
	task, err := p.open().Task(p.ctx, tid)
	if err != nil {
		t.Fatal(err)
	}
	if err := task.Remove(p.ctx); !errors.Is(err, weft.ErrNotEnded) {
		t.Errorf("while it runs: %v", err)
	}
	proceed.Open(1)
	c.line()
	if err := task.Remove(p.ctx); err != nil {
		t.Error(err)
	}
	if _, err := task.Status(p.ctx); !errors.Is(err, weft.ErrNoTask) {
		t.Errorf("its status: %v", err)
	}
	if err := task.Remove(p.ctx); !errors.Is(err, weft.ErrNoTask) {
		t.Errorf("the second time: %v", err)
	}
	if files := p.outputs(); len(files) > 0 {
		t.Errorf("files left: %v", files)
	}
	for m, err := range p.open().Queue(ledger.Log).Messages(p.ctx, broker.Select{}) {
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(m.Body, tid) {
			t.Errorf("an event is left: %s", m.Body)
		}
	}
}

// TestLongRetention has a program run a function a million times, which never tidies:
// the project stays within the default bounds, and so do its files.
func TestLongRetention(t *testing.T) {
	waittest.NeedLong(t)
	const tasks = 1_000_000
	p := newProject(t, programVariable+"=1", "WEFT_DURABILITY=normal")
	p.patient(6 * time.Hour)
	host := p.serving()
	p.open()
	began := time.Now()
	var largest int64
	for done := 0; done < tasks; done += 1000 {
		specs := slices.Repeat([]*taskspec.Spec{inline("add", "a", 1, "b", 2)}, 1000)
		all, err := p.open().SubmitMany(p.ctx, specs)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := all[len(all)-1].Wait(p.ctx); err != nil {
			t.Fatal(err)
		}
		info, err := p.open().Broker().Info(p.ctx)
		if err != nil {
			t.Fatal(err)
		}
		if largest = max(largest, info.Bytes); done%100_000 == 0 {
			t.Logf("%d tasks after %v: the store has %d MB, %d of them free", done, time.Since(began).Round(time.Second), info.Bytes>>20, info.Free>>20)
		}
	}
	if err := host.calls.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.open().Manager().Stop(p.ctx); err != nil {
		t.Fatal(err)
	}
	p.vanish()
	t.Logf("%d tasks in %v, at most %d MB", tasks, time.Since(began).Round(time.Second), largest>>20)
	kept, events, others := p.kept()
	t.Logf("%d tasks, %d events and %d messages are kept", kept, events, others)
	const most, slack = 100_000, 10_000
	if kept > most+slack || events > 5*(most+slack) || others > most+slack || largest > (most+slack)*(sizeOfTask+eventsEach*sizeOfEvent) {
		t.Errorf("the policy keeps %d tasks", most)
	}
	began = time.Now()
	r := p.tidy(weft.TidyOptions{All: true})
	t.Logf("the rest went in %v: %+v", time.Since(began).Round(time.Millisecond), r)
	if kept, events, _ := p.kept(); kept != 0 || events > eventsEach || r.StoreAfter > sizeOfRest {
		t.Errorf("%d tasks and %d events are left", kept, events)
	}
}
