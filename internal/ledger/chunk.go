package ledger

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"weft/broker"
	"weft/taskspec"
)

// A Chunk is a piece of one stream of a running task, for readers of its
// outbox.
type Chunk struct {
	Stream Stream `json:"stream"`
	Number int    `json:"chunk"`           // of the stream, counted from 0
	Final  bool   `json:"final,omitempty"` // the last of its stream
	Data   []byte `json:"data,omitempty"`
}

// Chunks are a consumer's report of the output of a running task. Sending them again is
// harmless, as with a [HandOff]; their sequence numbers precede that of the hand-off.
type Chunks struct {
	TID    string  `json:"tid"`
	Epoch  int     `json:"epoch"`
	Seq    int     `json:"seq"`
	Chunks []Chunk `json:"chunks"`
}

// WriteChunks writes chunks into the task's outbox. Repeating it has no effect and is no
// error; [ErrStale] is as for [Finish].
func WriteChunks(tx *broker.Tx, c *Chunks) error {
	t, err := load(tx, c.TID)
	if err != nil {
		return err
	}
	switch {
	case t.Epoch == c.Epoch && t.Seq >= c.Seq:
		return nil
	case t.Epoch != c.Epoch || t.Status != taskspec.StatusRunning:
		return fmt.Errorf("write output of task %s: %w", c.TID, ErrStale)
	}
	for _, chunk := range c.Chunks {
		body, err := chunk.message()
		if err != nil {
			return err
		}
		if _, err := tx.Write(OutboxOf(t.TID), body); err != nil {
			return err
		}
	}
	t.Seq = c.Seq
	return t.save(tx)
}

// message returns the chunk as it is written to the outbox.
func (c Chunk) message() (string, error) {
	encoding, data := "text", string(c.Data)
	if !utf8.Valid(c.Data) {
		encoding, data = "base64", base64.StdEncoding.EncodeToString(c.Data)
	}
	body, err := json.Marshal(struct {
		Type     string `json:"type"`
		Stream   string `json:"stream"`
		Chunk    int    `json:"chunk"`
		Final    bool   `json:"final"`
		Encoding string `json:"encoding"`
		Size     int    `json:"size"`
		Data     string `json:"data"`
	}{"stream", c.Stream.name(), c.Number, c.Final, encoding, len(c.Data), data})
	if err != nil {
		return "", fmt.Errorf("encode chunk: %w", err)
	}
	return string(body), nil
}

// name returns the name of the stream in messages.
func (s Stream) name() string { return "std" + string(s) }
