package consumer

import (
	"time"

	"weft/internal/ledger"
	"weft/internal/protocol"
	"weft/taskspec"
)

// WorkerProtocol is the version of the protocol between a consumer and a worker. They may
// be different programs, built with different versions of Weft: then the program must be
// built anew.
const WorkerProtocol = protocol.Version

// A WorkerOrder is a message from a consumer to a worker. One field is set.
type WorkerOrder struct {
	Work   *Work  `json:"work,omitempty"`
	Cancel string `json:"cancel,omitempty"` // why the function is to end
}

// Work is all that a worker has to know of its task.
type Work struct {
	Protocol int               `json:"protocol"`
	TID      string            `json:"tid"`
	Title    string            `json:"title,omitempty"` // of the process
	Name     string            `json:"name"`            // of the function
	Call     taskspec.Call     `json:"call"`
	Env      map[string]string `json:"env,omitempty"` // added to the program's own
	Dir      string            `json:"dir"`
	Timeout  time.Duration     `json:"timeout,omitempty"` // 0: none
	Deadline time.Time         `json:"deadline,omitzero"` // when it is over
}

// A WorkerReport is a message from a worker to its consumer. One field is set.
type WorkerReport struct {
	// Hello is the protocol that the worker speaks, sent as soon as it is ready.
	Hello    int              `json:"hello,omitempty"`
	Progress *ledger.Progress `json:"progress,omitempty"`
	// Answer is the last report; a value has been written before it.
	Answer *Answer `json:"answer,omitempty"`
}

// An Answer is the result of a call.
type Answer struct {
	How  How    `json:"how"`
	Text string `json:"text,omitempty"` // why it returned no value
	// Stack is the stack of a function that panicked.
	Stack string `json:"stack,omitempty"`
	// Overtime reports that the function failed after its timeout had expired.
	Overtime bool `json:"overtime,omitempty"`
}

// How is the way in which a call ended.
type How string

// The ways in which a call ends.
const (
	Returned How = "returned" // with a value
	Failed   How = "failed"   // with an error, or a value that is no JSON
	Panicked How = "panicked"
	Refused  How = "refused" // it was not called
	NoFolder How = "no_folder"
)

// outcome returns the outcome of the call's task.
func (a *Answer) outcome() taskspec.Outcome {
	switch a.How {
	case Returned:
		return taskspec.Exited(0, "")
	case Panicked:
		return taskspec.Panicked(a.Text, a.Stack)
	case Refused:
		return taskspec.Rejected(a.Text)
	case NoFolder:
		return taskspec.NotStarted(false, a.Text)
	}
	return taskspec.Failed(a.Text)
}
