package ledger

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"weft/broker"
	"weft/taskspec"
)

// Command is what a control message asks for.
type Command string

// The commands that a task or a manager understands.
const (
	CommandStop   Command = "STOP"
	CommandKill   Command = "KILL"
	CommandPause  Command = "PAUSE"
	CommandResume Command = "RESUME"
	CommandPing   Command = "PING"
	CommandStatus Command = "STATUS"
	// CommandInterrupt sends SIGINT to the task, which decides what becomes of it.
	CommandInterrupt Command = "INT"
	// CommandCloseStdout and CommandCloseStderr are for a stream of its output that nobody
	// wants any more: the next write to it fails.
	CommandCloseStdout Command = "CLOSE_STDOUT"
	CommandCloseStderr Command = "CLOSE_STDERR"
	// CommandLeave is for managers only: exit, and let running tasks continue.
	CommandLeave Command = "LEAVE"
)

// A Control is a control message: a single word in any case, or an object.
type Control struct {
	Command   Command `json:"command"`
	RequestID string  `json:"request_id,omitempty"`
	// By is who has sent it, nil if that is not known.
	By *Requester `json:"by,omitempty"`
}

// body returns the message: the word, if there is nothing else.
func (c Control) body() string {
	if c == (Control{Command: c.Command}) {
		return string(c.Command)
	}
	body, _ := json.Marshal(c) // cannot fail for texts and numbers
	return string(body)
}

// ParseControl parses a control message. A message in neither form is an unknown command.
func ParseControl(body string) Control {
	var c Control
	text := strings.TrimSpace(body)
	if !strings.HasPrefix(text, "{") || json.Unmarshal([]byte(text), &c) != nil {
		c = Control{Command: Command(text)}
	}
	c.Command, c.By = Command(strings.ToUpper(string(c.Command))), c.By.bounded()
	return c
}

// ErrNoPause is returned for a task that runs inside its program: goroutines cannot be
// paused.
var ErrNoPause = errors.New("cannot be paused: it runs inside its program")

// ends reports whether the command ends a task.
func (c Command) ends() bool { return c == CommandStop || c == CommandKill }

// signals reports whether the command tells the task something that may end it. No further
// attempt follows.
func (c Command) signals() bool {
	return c == CommandInterrupt || c == CommandCloseStdout || c == CommandCloseStderr
}

// holds reports whether the command pauses a task, or resumes it.
func (c Command) holds() bool { return c == CommandPause || c == CommandResume }

// SendControl sends a control message to a running task; to end one see [End]. The error is
// [ErrNotRunning] if the task does not run, or [ErrNoPause].
func SendControl(tx *broker.Tx, tid string, c Control) error {
	t, err := load(tx, tid)
	if err != nil {
		return err
	}
	if t.Status != taskspec.StatusRunning {
		return fmt.Errorf("%w: it is %s", ErrNotRunning, t.Status)
	}
	if c.Command.holds() && !t.traits().pausable {
		return ErrNoPause
	}
	body, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("encode control message: %w", err)
	}
	_, err = tx.Write(t.Queues().ControlIn, string(body))
	return err
}

// ReplyTo returns the id of the request that a reply answers; empty if it has none.
func ReplyTo(body string) (requestID string) {
	var r reply
	if json.Unmarshal([]byte(body), &r) != nil {
		return ""
	}
	return r.RequestID
}

// reply is the answer to a control message.
type reply struct {
	Command    Command `json:"command"`
	Status     string  `json:"status"`
	TID        string  `json:"tid"`
	Timestamp  int64   `json:"timestamp"`
	RequestID  string  `json:"request_id,omitempty"`
	Message    string  `json:"message,omitempty"`
	TaskStatus string  `json:"task_status,omitempty"`
	ShouldStop *bool   `json:"should_stop,omitempty"`
	Paused     *bool   `json:"paused,omitempty"`
	Activity   string  `json:"activity,omitempty"`
	Metrics    *Usage  `json:"metrics,omitempty"`

	by *Requester // who has sent the message
}

// Controls returns the queues of control messages that the task reads in addition to its
// own.
func Controls(t *Task) []string { return named(t.ControlIn) }

// named returns a list of the queue, if there is one.
func named(queue string) []string {
	if queue == "" {
		return nil
	}
	return []string{queue}
}

// ControlQueues returns the queues of control messages of all running tasks and pipelines:
// they are in use although they are mostly empty.
func ControlQueues(tx *broker.Tx) (queues []string, err error) {
	live, err := LiveTasks(tx)
	for _, t := range live {
		queues = append(append(queues, t.Queues().ControlIn), Controls(t)...)
	}
	return queues, err
}

// Replies returns the queue into which the task answers control messages.
func Replies(t *Task) string { return cmp.Or(t.ControlOut, t.Queues().ControlOut) }

// ReadTaskControl takes the control messages of a running task from its own queue and from
// others, answers them, and returns, in order, those that the process that runs the task
// must apply.
func ReadTaskControl(tx *broker.Tx, tid string, now time.Time, others ...string) (orders []Command, err error) {
	ms, err := takeControls(tx, append([]string{QueuesOf(tid).ControlIn}, others...)...)
	if err != nil || len(ms) == 0 {
		return nil, err
	}
	t, err := load(tx, tid)
	if unreadable(err) { // it can still be ended
		for _, m := range ms {
			if c := ParseControl(m.Body).Command; c.ends() || c.signals() {
				orders = append(orders, c)
			}
		}
		return orders, nil
	}
	if err != nil {
		return nil, err
	}
	logged := 0
	err = answerControls(tx, ms, tid, Replies(t), now, func(c Command, a *reply) error {
		switch {
		case c.ends():
			t.order(c)
			orders = append(orders, c)
		case c == CommandInterrupt && t.traits().items:
			t.order(CommandStop) // between two items there is nothing to interrupt
			orders = append(orders, CommandStop)
		case c.signals():
			t.NoRetry = true
			orders = append(orders, c)
		case c.holds() && !t.traits().pausable:
			a.Status, c = statusUnknown, ""
		case c.holds():
			t.Hold = c == CommandPause
			orders = append(orders, c)
		case c == CommandStatus:
			a.TaskStatus, a.Paused, a.ShouldStop = string(t.Status), &t.Paused, new(t.Ordered != "")
			a.Activity, a.Metrics = t.activity(), &t.Usage
		}
		if logged++; logged > maxLogged {
			return nil
		}
		return t.log(tx, eventControl(c), now.UnixNano(), Event{By: a.by})
	})
	if err == nil && logged > 0 {
		err = t.save(tx)
	}
	if t.ControlOut == "" { // a queue of the user's is not trimmed
		err = cmp.Or(err, trimReplies(tx, t.Queues().ControlOut))
	}
	return orders, err
}

// order notes an order to end the task. One to kill it stands.
func (t *Task) order(c Command) {
	if t.Ordered != CommandKill {
		t.Ordered = c
	}
}

// activity describes what a running task is doing, for STATUS.
func (t *Task) activity() string {
	switch {
	case t.Ordered != "":
		return "stopping"
	case t.Paused:
		return "paused"
	case t.traits().items && t.Message == 0:
		return "waiting"
	}
	return "working"
}

// ReadControl is [ReadTaskControl] for the control messages of a manager. The error is
// [ErrSuperseded] if they are for a later manager.
func (m *Manager) ReadControl(tx *broker.Tx, now time.Time) (orders []Command, err error) {
	ms, err := takeControls(tx, ManagerControl)
	if err != nil || len(ms) == 0 {
		return nil, err
	}
	if latest, err := m.latest(tx); err != nil || !latest {
		return nil, cmp.Or(err, ErrSuperseded)
	}
	err = answerControls(tx, ms, m.TID, ManagerReplies, now, func(c Command, a *reply) error {
		switch {
		case c.ends(), c == CommandLeave:
			a.Status = statusAck
			orders = append(orders, c)
		case c.holds(), c.signals(): // a manager has no processes of its own
			a.Status = statusUnknown
		case c == CommandStatus:
			a.TaskStatus, a.ShouldStop = m.Status, new(len(orders) > 0)
		}
		return nil
	})
	return orders, cmp.Or(err, trimReplies(tx, ManagerReplies))
}

// The status of the reply to a command that will be applied, and to an unknown one.
const (
	statusAck     = "ack"
	statusUnknown = "unknown"
)

// answer returns the reply that every receiver gives to a command.
func answer(c Control, tid string, now time.Time) reply {
	a := reply{Command: c.Command, Status: "ok", TID: tid, Timestamp: now.UnixNano(), RequestID: c.RequestID, by: c.By}
	switch c.Command {
	case CommandStop, CommandKill, CommandPause, CommandResume, CommandInterrupt, CommandCloseStdout, CommandCloseStderr:
		a.Status = statusAck
	case CommandPing:
		a.Message = "PONG"
	case CommandStatus:
	default:
		a.Status = statusUnknown
	}
	return a
}

// writeReply writes a reply, unless it is too long for a message because the request was:
// that must not block the commands after it.
func writeReply(tx *broker.Tx, queue string, a reply) error {
	body, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("encode reply: %w", err)
	}
	_, err = tx.Write(queue, string(body))
	if errors.Is(err, broker.ErrTooLarge) {
		return nil
	}
	return err
}

// controlsAtOnce is how many control messages one transaction takes, maxLogged how many of
// them are logged, and maxReplies how many replies, the newest, a queue keeps. Any process
// may send any number, and the replies may never be read.
const (
	controlsAtOnce = 1000
	maxLogged      = 100
	maxReplies     = 1000
)

// takeControls takes control messages from queues, the oldest first.
func takeControls(tx *broker.Tx, queues ...string) (ms []broker.Message, err error) {
	for _, queue := range queues {
		// Mostly there is none, and looking is cheaper than taking.
		some, err := tx.Messages(queue, broker.Select{Limit: 1})
		if err == nil && len(some) > 0 {
			some, err = tx.Read(queue, broker.Select{Limit: controlsAtOnce})
		}
		if err != nil {
			return nil, err
		}
		if len(some) == controlsAtOnce {
			tx.Notify(queue) // there may be more
		}
		ms = append(ms, some...)
	}
	slices.SortFunc(ms, compareIDs)
	return ms, nil
}

// answerControls answers the control messages to tid, each after apply has applied it and
// changed the reply.
func answerControls(tx *broker.Tx, ms []broker.Message, tid, replies string, now time.Time, apply func(Command, *reply) error) error {
	for _, m := range ms {
		c := ParseControl(m.Body)
		a := answer(c, tid, now)
		if err := apply(c.Command, &a); err != nil {
			return err
		}
		if err := writeReply(tx, replies, a); err != nil {
			return err
		}
	}
	return nil
}

// trimReplies removes the oldest replies from a queue if there are too many.
func trimReplies(tx *broker.Tx, queue string) error {
	var ids []broker.ID
	err := tx.Scan(queue, broker.Select{}, func(m broker.Message) bool {
		ids = append(ids, m.ID)
		return true
	})
	if err == nil && len(ids) > maxReplies {
		_, err = tx.Delete(queue, broker.Select{Before: ids[len(ids)-maxReplies]})
	}
	return err
}

// eventControl returns the event that records a control message.
func eventControl(c Command) string {
	switch c {
	case CommandStop, CommandKill, CommandPause, CommandResume, CommandPing, CommandStatus,
		CommandInterrupt, CommandCloseStdout, CommandCloseStderr:
		return eventControlPrefix + strings.ToLower(string(c))
	default:
		return eventControlPrefix + "unknown"
	}
}
