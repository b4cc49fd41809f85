package consumer

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"

	"weft/internal/attempt"
	"weft/internal/ledger"
	"weft/internal/proc"
	"weft/internal/protocol"
)

// Protocol is the version of the protocol of a [Link]. As a rule both ends are the same
// program; if they are not, the manager refuses the consumer.
const Protocol = protocol.Version

// A Link is one end of the connection between a manager and a consumer. Send may be called
// by several goroutines. In is the type that Send sends at the other end.
type Link[In, Out any] struct {
	rw      io.ReadWriteCloser
	dec     *json.Decoder
	sending sync.Mutex
}

// ManagerLink is the manager's end on rw, ConsumerLink the consumer's.
type (
	ManagerLink  = Link[Report, Order]
	ConsumerLink = Link[Order, Report]
)

// NewLink returns the end of a link on rw, which it owns.
func NewLink[In, Out any](rw io.ReadWriteCloser) *Link[In, Out] {
	return &Link[In, Out]{rw: rw, dec: json.NewDecoder(rw)}
}

// Send sends one value. An error means that the other end is gone.
func (l *Link[In, Out]) Send(v Out) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %T: %w", v, err)
	}
	l.sending.Lock()
	defer l.sending.Unlock()
	if _, err := l.rw.Write(append(data, '\n')); err != nil {
		return fmt.Errorf("send %T: %w", v, err)
	}
	return nil
}

// Receive waits for the next value. An error means that the other end is gone.
func (l *Link[In, Out]) Receive() (v In, err error) {
	if err := l.dec.Decode(&v); err != nil {
		return v, fmt.Errorf("receive %T: %w", v, err)
	}
	return v, nil
}

// Close ends the link for both.
func (l *Link[In, Out]) Close() error { return l.rw.Close() }

// An Order is a message from a manager to a consumer. Exactly one field is set.
type Order struct {
	Task           *ledger.Assignment `json:"task,omitempty"` // prepare a task
	Start          *Permit            `json:"go,omitempty"`   // start it
	Revoke         bool               `json:"drop,omitempty"` // forget it: it was withdrawn
	End            Request            `json:"end,omitempty"`  // end the running task
	Pause          *bool              `json:"hold,omitempty"` // pause the running task, or resume it
	Ack            int                `json:"ack,omitempty"`  // the hand-off with this sequence number is recorded
	ChunksRecorded int                `json:"took,omitempty"` // the chunks with this sequence number are recorded
	Next           *Next              `json:"next,omitempty"` // work on this item, or wait
}

// A Report is a message from a consumer to its manager. Exactly one field is set.
type Report struct {
	Hello    *Hello           `json:"hello,omitempty"`
	Started  *proc.Identity   `json:"started,omitempty"`  // the task's own process
	Used     *ledger.Usage    `json:"used,omitempty"`     // by the running task, if the assignment asks for it
	Paused   *bool            `json:"paused,omitempty"`   // the running task has been paused, or resumed
	Progress *ledger.Progress `json:"progress,omitempty"` // of the running function
	Chunks   *ledger.Chunks   `json:"chunks,omitempty"`   // of the running task's output
	Item     *ledger.HandOff  `json:"item,omitempty"`     // the result of an item of a persistent task
	Finished *ledger.HandOff  `json:"finished,omitempty"`
}

// Hello introduces a consumer.
type Hello struct {
	Protocol int           `json:"protocol"`
	Build    string        `json:"build"`
	Process  proc.Identity `json:"process"`
}

// A Permit says that a task's reservation has been committed.
type Permit struct {
	Message string `json:"message_id"` // without meaning for a persistent task: see [Next]
}

// Next tells a persistent task what to do next. Seq is the sequence number of its last
// recorded hand-off, 0 if there is none.
type Next struct {
	Seq  int          `json:"seq,omitempty"`
	Item *ledger.Item `json:"item,omitempty"` // reserved for the task; nil: there is none yet
}

// A Request asks for the end of a task.
type Request = attempt.Request

// The requests.
const (
	NoRequest        = attempt.NoRequest
	RequestStop      = attempt.RequestStop
	RequestKill      = attempt.RequestKill
	RequestInterrupt = attempt.RequestInterrupt
	RequestGiveUp    = attempt.RequestGiveUp

	RequestCloseStdout = attempt.RequestCloseStdout
	RequestCloseStderr = attempt.RequestCloseStderr
)

// OrderFor returns the order that a control message stands for.
func OrderFor(c ledger.Command) Order {
	switch c {
	case ledger.CommandStop:
		return Order{End: RequestStop}
	case ledger.CommandKill:
		return Order{End: RequestKill}
	case ledger.CommandInterrupt:
		return Order{End: RequestInterrupt}
	case ledger.CommandCloseStdout:
		return Order{End: RequestCloseStdout}
	case ledger.CommandCloseStderr:
		return Order{End: RequestCloseStderr}
	case ledger.CommandPause, ledger.CommandResume:
		return Order{Pause: new(c == ledger.CommandPause)}
	default:
		return Order{}
	}
}
