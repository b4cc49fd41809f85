package manager

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"weft/broker"
	consumers "weft/internal/consumer" // the pool has a type called consumer
	"weft/taskspec"
)

// A Call is what a client sends to the manager that it starts.
type Call struct {
	Protocol int    `json:"protocol"`
	Build    string `json:"build"`
	Root     string `json:"root"`           // the project's root
	Once     bool   `json:"once,omitempty"` // exit as soon as there is no work
	// Options are the settings that the client has given, by the names of their variables.
	Options map[string]string `json:"options,omitempty"`
	// Since is the last id that was in the project before its user first used it, if that
	// could not be recorded.
	Since broker.ID `json:"since,omitempty"`
	// Env is the environment of the manager's process; nil means the client's.
	Env []string `json:"-"`
}

// rawCall is a Call in JSON: the root may hold any bytes.
type rawCall struct {
	*plainCall
	Root taskspec.RawString `json:"root"`
}

type plainCall Call

// MarshalJSON writes the call.
func (c Call) MarshalJSON() ([]byte, error) {
	return json.Marshal(rawCall{(*plainCall)(&c), taskspec.RawString(c.Root)})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (c *Call) UnmarshalJSON(data []byte) error {
	v := rawCall{plainCall: (*plainCall)(c)}
	err := json.Unmarshal(data, &v)
	c.Root = string(v.Root)
	return err
}

// answer is sent when the manager is ready, or has failed to start.
type answer struct {
	Error string `json:"error,omitempty"`
}

// ReadCall reads the call of the client that started this process, and refuses one with
// another protocol.
func ReadCall(conn io.Reader) (Call, error) {
	var c Call
	if err := json.NewDecoder(conn).Decode(&c); err != nil {
		return c, fmt.Errorf("read call: %w", err)
	}
	if c.Protocol != consumers.Protocol {
		return c, fmt.Errorf("client has protocol %d of build %q, this program %d: use one version of weft", c.Protocol, c.Build, consumers.Protocol)
	}
	return c, nil
}

// Answer tells the client that the manager is ready, or why it has failed. That another
// manager is running is no failure.
func Answer(conn io.WriteCloser, err error) {
	var a answer
	if err != nil && !errors.Is(err, ErrRunning) {
		a.Error = err.Error()
	}
	// The client may be gone.
	_ = json.NewEncoder(conn).Encode(a)
	_ = conn.Close()
}
