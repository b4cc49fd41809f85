package ledger

import (
	"encoding/json"
	"strings"
	"time"

	"weft/broker"
)

// A Requester is who has asked for something, as it says itself.
type Requester struct {
	Command  string `json:"command,omitempty"` // what was run, or the name of the program
	PID      int    `json:"pid,omitempty"`
	Terminal string `json:"terminal,omitempty"`
	User     string `json:"user,omitempty"`
	Reason   string `json:"reason,omitempty"` // why
}

// UnmarshalJSON reads a requester, or a text, which is its command. Of anything else nothing is
// known: that must not make an order void.
func (r *Requester) UnmarshalJSON(data []byte) error {
	type fields Requester
	*r = Requester{}
	if json.Unmarshal(data, &r.Command) != nil && json.Unmarshal(data, (*fields)(r)) != nil {
		*r = Requester{}
	}
	return nil
}

// bounded returns the requester without what is too long for an event: any process may write
// a control message.
func (r *Requester) bounded() *Requester {
	if r == nil || *r == (Requester{}) {
		return nil
	}
	cut := func(text string) string { return strings.ToValidUTF8(text[:min(len(text), 200)], "") }
	return &Requester{cut(r.Command), r.PID, cut(r.Terminal), cut(r.User), cut(r.Reason)}
}

// EndBy is [End] for a requester, whom the event of the order records, or that of the end of a
// task that has not been dispatched.
func EndBy(tx *broker.Tx, tid string, c Command, by *Requester, now time.Time) (*Task, error) {
	return askToEnd(tx, tid, Control{Command: c, By: by.bounded()}, now)
}
