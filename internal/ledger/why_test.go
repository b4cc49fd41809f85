package ledger

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"weft/internal/proc"
	"weft/taskspec"
)

func TestLiveness(t *testing.T) {
	t.Parallel()
	unknown := errors.New("no /proc")
	for _, test := range []struct {
		checked   error
		elsewhere bool
		want      Liveness
	}{
		{nil, false, Live},
		{nil, true, Live},
		{proc.ErrGone, false, Lost},
		{fmt.Errorf("read stat: %w", proc.ErrGone), false, Lost},
		{proc.ErrGone, true, Unverified},
		{unknown, false, Unverified},
		{unknown, true, Unverified},
	} {
		if got := liveness(test.checked, func() bool { return test.elsewhere }); got != test.want {
			t.Errorf("liveness(%v, %v) = %v, want %v", test.checked, test.elsewhere, got, test.want)
		}
	}
}

// TestReason checks what a task waits for, or why it does not go on.
func TestReason(t *testing.T) {
	t.Parallel()
	const tid = "1000000000000000000"
	self, err := proc.Self()
	if err != nil {
		t.Skip(err)
	}
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	soon := now.Add(1500 * time.Millisecond).UnixNano()
	well := Surroundings{Now: now, Manager: &Manager{Slots: 4, Process: proc.Identity{PID: 7}}, Managed: true, SlotsInUse: 3,
		HasItem: func(queue string) bool { return queue == "full" }, KeyUse: func(string) (int, int) { return 2, 2 }}
	with := func(change func(*Surroundings)) Surroundings {
		s := well
		change(&s)
		return s
	}
	none := with(func(s *Surroundings) { s.Managed = false })
	for name, test := range map[string]struct {
		task       Task
		live       Liveness
		s          Surroundings
		code, text string
	}{
		"about to be dispatched": {Task{}, Live, well, "", ""},
		"slot":                   {Task{}, Live, with(func(s *Surroundings) { s.SlotsInUse = 4 }), "slot", "waits for a slot: 4 of 4 in use"},
		"needs no slot":          {Task{Slotless: true}, Live, with(func(s *Surroundings) { s.SlotsInUse = 4 }), "", ""},
		"trust":                  {Task{}, Live, with(func(s *Surroundings) { s.Quarantined = 1 << 62 }), "trust", "waits for trust in the project: weft trust"},
		"no manager":             {Task{NotBefore: soon}, Live, none, "manager", "waits for a manager, and none runs: weft manager start"},
		"stopped manager":        {Task{}, Live, with(func(s *Surroundings) { s.Stopped = true }), "manager_stopped", "waits for the manager (pid 7), which is stopped: kill -CONT 7 lets it go on"},
		"delay":                  {Task{NotBefore: soon}, Live, well, "delay", "waits until 12:00:01 (in 1.5s)"},
		"delay of days":          {Task{NotBefore: now.Add(48 * time.Hour).UnixNano()}, Live, well, "delay", "waits until 2026-03-03 12:00:00 (in 48h0m)"},
		"retry":                  {Task{NotBefore: soon, Epoch: 3, Base: 1, MaxAttempts: 5}, Live, well, "retry", "waits for attempt 3 of 5 at 12:00:01 (in 1.5s)"},
		"item":                   {Task{In: "empty"}, Live, well, "item", "waits for an item of queue empty"},
		"concurrency key":        {Task{Concurrency: Concurrency{Key: "k", Limit: 2}}, Live, well, "concurrency", "waits for concurrency key k: 2 of 2 run"},
		"turn at a queue":        {Task{In: "full"}, Live, well, "item", "waits for its turn at queue full"},
		"slot, with an item":     {Task{In: "full"}, Live, with(func(s *Surroundings) { s.SlotsInUse = 4 }), "slot", "waits for a slot: 4 of 4 in use"},
		"disk":                   {Task{}, Live, with(func(s *Surroundings) { s.FullDisk = "/p" }), "disk_full", "waits for room on the disk, which is full: make room in /p"},
		"function":               {Task{Inline: "f"}, Live, none, "function", "waits for a program that serves function f"},
		"runs":                   {Task{Status: taskspec.StatusRunning, Message: 1}, Live, well, "", ""},
		"lost":                   {Task{Status: taskspec.StatusRunning}, Lost, none, "lost", fmt.Sprintf("its consumer (pid %d) is gone: weft manager start records it", self.PID)},
		"about to be recorded":   {Task{Status: taskspec.StatusRunning}, Lost, well, "lost", fmt.Sprintf("its consumer (pid %d) is gone: the manager is about to record it", self.PID)},
		"unverified":             {Task{Status: taskspec.StatusRunning}, Unverified, well, "unverified", fmt.Sprintf("its consumer (pid %d) cannot be seen from here, as in another pid namespace", self.PID)},
		"stopping":               {Task{Status: taskspec.StatusRunning, Ordered: CommandStop}, Live, well, "stopping", "was told to end"},
		"paused":                 {Task{Status: taskspec.StatusRunning, Paused: true}, Live, well, "paused", "is paused: weft task resume lets it go on"},
		"full disk while it runs": {Task{Status: taskspec.StatusRunning}, Live, with(func(s *Surroundings) { s.FullDisk = "/p" }),
			"disk_full", "may wait with what it prints: the disk is full: make room in /p"},
		"persistent": {Task{Status: taskspec.StatusRunning, Items: new(Items)}, Live, well, "item", "waits for an item of queue T" + tid + ".inbox"},
	} {
		test.task.TID, test.task.Consumer = tid, self
		if test.task.Status == "" {
			test.task.Status = taskspec.StatusCreated
		}
		if got := test.task.Reason(test.live, test.s); got != (Reason{test.code, test.text}) {
			t.Errorf("%s: got %+v, want %s: %s", name, got, test.code, test.text)
		}
	}
}
