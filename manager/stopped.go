package manager

import (
	"syscall"
	"time"

	consumers "weft/internal/consumer" // the pool has a type called consumer
)

// stoppedSlack is how long after the deadline of a task, or after its start or release, a
// consumer is checked: it may be just about to report.
const stoppedSlack = 2 * time.Second

// expectEnd sets the deadline of a task that starts.
func (c *consumer) expectEnd(now time.Time) {
	if c.timeout > 0 {
		c.setDeadline(now.Add(c.timeout + c.grace))
	}
}

// expectStop sets the deadline of a task that has been told to end.
func (c *consumer) expectStop(r consumers.Request, now time.Time) {
	switch r {
	case consumers.RequestStop:
		c.setDeadline(now.Add(c.grace))
	case consumers.RequestKill:
		c.setDeadline(now)
	}
}

// setDeadline sets the time by which the task must have ended, unless it is earlier
// already.
func (c *consumer) setDeadline(end time.Time) { c.due = earliest(c.due, end.Add(stoppedSlack)) }

// killStopped kills consumers that are stopped (SIGSTOP) after they should have started or
// exited, or after the deadlines of their tasks: the manager would wait for them for ever.
// Their tasks are handled as after any death of a consumer. It returns when to call it
// again.
func (p *pool) killStopped(now time.Time) (next time.Time) {
	for _, c := range p.consumers {
		if c.due.IsZero() {
			continue
		}
		if !now.Before(c.due) {
			c.due = now.Add(stoppedSlack)
			if c.self.Stopped() {
				p.o.Log.Warn("kill stopped consumer", "tid", c.task.tid, "pid", c.self.PID)
				_ = c.self.Signal(syscall.SIGKILL) // if it has ended, its death is reported
			}
		}
		next = earliest(next, c.due)
	}
	return next
}
