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

// The commands that a task or a manager obeys.
const (
	CommandStop   Command = "STOP"
	CommandKill   Command = "KILL"
	CommandPause  Command = "PAUSE"
	CommandResume Command = "RESUME"
	CommandPing   Command = "PING"
	CommandStatus Command = "STATUS"
	// CommandLeave is for managers only: leave, and let running tasks go on.
	CommandLeave Command = "LEAVE"
)

// A Control is a control message: a bare word in any case, or an object.
type Control struct {
	Command   Command `json:"command"`
	RequestID string  `json:"request_id,omitempty"`
}

// ParseControl reads a control message. What is neither form is a command of
// its own, which nobody knows.
func ParseControl(body string) Control {
	var c Control
	text := strings.TrimSpace(body)
	if !strings.HasPrefix(text, "{") || json.Unmarshal([]byte(text), &c) != nil {
		c = Control{Command: Command(text)}
	}
	c.Command = Command(strings.ToUpper(string(c.Command)))
	return c
}

// ErrNoPause is returned for a task that runs inside its host: goroutines cannot
// be made to stand still.
var ErrNoPause = errors.New("cannot be paused: it runs inside its program")

// holds reports whether the command lets a task stand still, or go on.
func (c Command) holds() bool { return c == CommandPause || c == CommandResume }

// SendControl sends a control message to a running task; for those that end one see
// [End]. The error is [ErrNotRunning] if it does not run, or [ErrNoPause].
func SendControl(tx *broker.Tx, tid string, c Control) error {
	t, err := load(tx, tid)
	if err != nil {
		return err
	}
	if t.Status != taskspec.StatusRunning {
		return fmt.Errorf("%w: it is %s", ErrNotRunning, t.Status)
	}
	if c.Command.holds() && t.Inline != "" {
		return ErrNoPause
	}
	body, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("encode control message: %w", err)
	}
	_, err = tx.Write(t.Queues().ControlIn, string(body))
	return err
}

// ReplyTo is the id of the request that a reply answers; empty if it has none.
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
}

// Controls are the queues whose control messages the task obeys beside those of its
// own.
func Controls(t *Task) []string { return named(t.ControlIn) }

// named is a list of the queue, if there is one.
func named(queue string) []string {
	if queue == "" {
		return nil
	}
	return []string{queue}
}

// ControlQueues are the queues of control messages of all tasks and pipelines that
// run: they are there although they mostly hold nothing.
func ControlQueues(tx *broker.Tx) (queues []string, err error) {
	recs, err := tx.Records(Kind, broker.RecordSelect{States: living})
	for _, rec := range recs {
		t, err := Decode(rec)
		if err != nil {
			continue // it can be told nothing, and is named elsewhere
		}
		queues = append(append(queues, t.Queues().ControlIn), Controls(t)...)
	}
	return queues, err
}

// Replies is the queue that the task answers control messages into.
func Replies(t *Task) string { return cmp.Or(t.ControlOut, t.Queues().ControlOut) }

// ReadTaskControl takes the control messages of a running task, from its own queue and from
// others, answers them, and returns those that whoever runs the task must carry out,
// in order.
func ReadTaskControl(tx *broker.Tx, tid string, now time.Time, others ...string) ([]Command, error) {
	var ms []broker.Message
	for _, queue := range append([]string{QueuesOf(tid).ControlIn}, others...) {
		// Mostly there is none, and looking is cheaper than taking.
		if some, err := tx.Messages(queue, broker.Select{Limit: 1}); err != nil {
			return nil, err
		} else if len(some) == 0 {
			continue
		}
		taken, err := readControls(tx, queue)
		if err != nil {
			return nil, err
		}
		ms = append(ms, taken...)
	}
	if len(ms) == 0 {
		return nil, nil
	}
	slices.SortFunc(ms, func(a, b broker.Message) int { return cmp.Compare(a.ID, b.ID) })
	t, err := load(tx, tid)
	if unreadable(err) {
		return endOrders(ms), nil // what runs of it can still be ended
	}
	if err != nil {
		return nil, err
	}
	var orders []Command
	for i, m := range ms {
		c := ParseControl(m.Body)
		a := answer(c, tid, now)
		if c.Command.holds() && t.Inline != "" {
			a.Status, c.Command = statusUnknown, ""
		}
		switch c.Command {
		case CommandStop, CommandKill:
			orders = append(orders, c.Command)
			if t.Ordered != CommandKill {
				t.Ordered = c.Command
			}
		case CommandPause, CommandResume:
			orders = append(orders, c.Command)
			t.Hold = c.Command == CommandPause
		case CommandStatus:
			a.TaskStatus, a.Paused, a.ShouldStop = string(t.Status), &t.Paused, new(t.Ordered != "")
			a.Activity, a.Metrics = t.activity(), &t.Usage
		}
		if err := writeReply(tx, Replies(t), a); err != nil {
			return nil, err
		}
		if i >= maxLogged {
			continue
		}
		if err := t.log(tx, eventControl(c.Command), now.UnixNano(), Event{}); err != nil {
			return nil, err
		}
	}
	if len(orders) > 0 {
		err = t.save(tx)
	}
	if t.ControlOut == "" { // what is in a queue of the user's is the user's
		err = cmp.Or(err, trimReplies(tx, t.Queues().ControlOut))
	}
	return orders, err
}

// endOrders are those of the messages that end a task.
func endOrders(ms []broker.Message) (orders []Command) {
	for _, m := range ms {
		if c := ParseControl(m.Body).Command; c == CommandStop || c == CommandKill {
			orders = append(orders, c)
		}
	}
	return orders
}

// activity is what a running task is doing, as STATUS tells it.
func (t *Task) activity() string {
	switch {
	case t.Ordered != "":
		return "stopping"
	case t.Paused:
		return "paused"
	case t.Items != nil && t.Message == 0:
		return "waiting"
	}
	return "working"
}

// ReadControl does the same for the control messages of a manager. The error is
// [ErrSuperseded] if they are for a later one.
func (m *Manager) ReadControl(tx *broker.Tx, now time.Time) ([]Command, error) {
	ms, err := readControls(tx, ManagerControl)
	if err != nil || len(ms) == 0 {
		return nil, err
	}
	if latest, err := m.latest(tx); err != nil || !latest {
		return nil, cmp.Or(err, ErrSuperseded)
	}
	var orders []Command
	for _, msg := range ms {
		c := ParseControl(msg.Body)
		a := answer(c, m.TID, now)
		switch c.Command {
		case CommandStop, CommandKill:
			orders = append(orders, c.Command)
		case CommandLeave:
			a.Status = statusAck
			orders = append(orders, c.Command)
		case CommandPause, CommandResume:
			a.Status = statusUnknown // of a manager
		case CommandStatus:
			a.TaskStatus, a.ShouldStop = m.Status, new(len(orders) > 0)
		}
		if err := writeReply(tx, ManagerReplies, a); err != nil {
			return nil, err
		}
	}
	return orders, trimReplies(tx, ManagerReplies)
}

// The answers to a command that will be carried out, and to one that the
// receiver does not know.
const (
	statusAck     = "ack"
	statusUnknown = "unknown"
)

// answer is the reply that every receiver gives to a command.
func answer(c Control, tid string, now time.Time) reply {
	a := reply{Command: c.Command, Status: "ok", TID: tid, Timestamp: now.UnixNano(), RequestID: c.RequestID}
	switch c.Command {
	case CommandStop, CommandKill, CommandPause, CommandResume:
		a.Status = statusAck
	case CommandPing:
		a.Message = "PONG"
	case CommandStatus:
	default:
		a.Status = statusUnknown
	}
	return a
}

// writeReply writes a reply, unless it is too long for a message because the
// question was: that must not keep the commands behind it from being obeyed.
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

// How many control messages one transaction takes, of how many of them history tells,
// and how many replies a queue keeps, the newest, for those who have yet to read them.
// Anybody may send any number, and nobody may read the replies.
const (
	controlsAtOnce = 1000
	maxLogged      = 100
	maxReplies     = 1000
)

// readControls takes control messages from a queue.
func readControls(tx *broker.Tx, queue string) ([]broker.Message, error) {
	ms, err := tx.Read(queue, broker.Select{Limit: controlsAtOnce})
	if len(ms) == controlsAtOnce {
		tx.Notify(queue) // there may be more
	}
	return ms, err
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

// eventControl is the event that records a control message.
func eventControl(c Command) string {
	switch c {
	case CommandStop, CommandKill, CommandPause, CommandResume, CommandPing, CommandStatus:
		return eventControlPrefix + strings.ToLower(string(c))
	default:
		return eventControlPrefix + "unknown"
	}
}
