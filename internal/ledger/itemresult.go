package ledger

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"weft/broker"
	"weft/internal/jsonobject"
	"weft/taskspec"
)

// ErrNotPersistent is returned for operations that need a persistent task.
var ErrNotPersistent = errors.New("it is not persistent")

// ItemResultType is the type of an [ItemResult].
const ItemResultType = "item_result"

// An ItemResult is the message in the outbox of a persistent task with the result of one of
// its items:
//
//	{"type":"item_result","message_id":"…","status":"completed","return_code":0,"output":"…","encoding":"text"}
//
// If the spec names a queue for results (io.outputs.outbox), an item that completed writes
// to it what any task would, without this envelope; other results go to the task's own
// outbox.
type ItemResult struct {
	Type       string          `json:"type"`
	MessageID  string          `json:"message_id"` // of the item
	Status     taskspec.Status `json:"status"`
	ReturnCode *int            `json:"return_code"` // null if nothing ran
	// Output is, depending on Encoding, text, bytes in base64, the value of a function, or
	// an object of type "large_output" that stands for a file.
	Output   json.RawMessage `json:"output"`
	Encoding ItemEncoding    `json:"encoding"`
	Error    string          `json:"error,omitempty"`  // why the item did not complete
	Stderr   string          `json:"stderr,omitempty"` // in that case the end of its standard error
}

// ItemEncoding tells what the output of an [ItemResult] is.
type ItemEncoding string

// The encodings.
const (
	ItemText  ItemEncoding = "text"
	ItemBytes ItemEncoding = "base64"
	ItemValue ItemEncoding = "json"
	ItemFile  ItemEncoding = "file"
)

const (
	// ItemEnvelope is an upper bound of what an [ItemResult] has around its output, in
	// bytes.
	ItemEnvelope = 64 << 10
	// itemStderr is how much of the end of the standard error it holds.
	itemStderr = 4 << 10
)

// itemResult returns the result of the hand-off's item.
func (h *HandOff) itemResult(kind taskspec.Kind) (string, error) {
	r := ItemResult{
		Type: ItemResultType, MessageID: h.Item.String(), Status: h.Outcome.Status,
		ReturnCode: h.Outcome.ReturnCode, Error: h.Outcome.Error,
	}
	if r.Status != taskspec.StatusCompleted {
		r.Stderr = strings.ToValidUTF8(string(taskspec.Tail(h.Output.Stderr, itemStderr)), "\uFFFD")
	}
	var output any
	switch {
	case h.Output.Form == FormFile:
		body, err := h.message(Dir)
		if err != nil {
			return "", err
		}
		output, r.Encoding = json.RawMessage(body), ItemFile
	case h.Output.Form == FormBytes:
		output, r.Encoding = base64.StdEncoding.EncodeToString(h.Result), ItemBytes
	case kind == taskspec.KindFunction && len(h.Result) == 0: // it returned no value
		r.Encoding = ItemValue
	case kind == taskspec.KindFunction && json.Valid(h.Result):
		output, r.Encoding = json.RawMessage(h.Result), ItemValue
	default:
		output, r.Encoding = string(h.Result), ItemText
	}
	var err error
	if r.Output, err = jsonobject.Encode(output); err != nil {
		return "", fmt.Errorf("encode item result: %w", err)
	}
	body, err := jsonobject.Encode(r)
	return string(body), err
}

// QuotedSize returns the length of text as a string in an [ItemResult], in bytes.
func QuotedSize(text []byte) int {
	quoted, _ := jsonobject.Encode(string(text)) // cannot fail for a string
	return len(quoted)
}

// writeItemResult writes the result of an item to its queue.
func writeItemResult(tx *broker.Tx, t *Task, h *HandOff, kind taskspec.Kind) (err error) {
	queue, message := OutboxOf(t.TID), func() (string, error) { return h.itemResult(kind) }
	if h.Outcome.Status == taskspec.StatusCompleted && t.Out != "" {
		queue, message = t.Out, func() (string, error) { return h.message(Dir) }
	}
	body, err := message()
	if err != nil {
		return err
	}
	id, err := tx.Write(queue, body)
	if errors.Is(err, broker.ErrTooLarge) && len(h.Output.Stderr) > 0 {
		bare := *h // the message limit may be smaller than a standard error full of escapes
		bare.Output.Stderr = nil
		return writeItemResult(tx, t, &bare, kind)
	}
	if err != nil || h.Output.Form != FormFile {
		return err
	}
	return tx.PutRecord(broker.Record{
		Kind: itemFileKind, Key: itemFileKey(h.TID, h.Epoch, h.Item), State: h.TID, Rank: int64(id), Body: queue,
	})
}

// itemFileKind is the kind of the records of item results that are in files. Their state is
// the TID, their rank the id of the message that stands for the file, and their body the
// queue of that message.
const itemFileKind = "itemfile"

var itemFiles = table[broker.Record]{itemFileKind, func(rec broker.Record) (broker.Record, error) {
	if !isTID(rec.State) {
		return rec, errMismatch
	}
	return rec, broker.CheckName(rec.Body)
}}

func itemFileKey(tid string, epoch int, item broker.ID) string {
	return fmt.Sprintf("%s.%d.%v", tid, epoch, item)
}

// ItemOutput is [OutputFile] for one item of a persistent task.
func ItemOutput(weftDir, tid string, epoch int, item broker.ID, stream Stream) string {
	return filepath.Join(weftDir, OutputDir, itemFileKey(tid, epoch, item)+"."+string(stream))
}

// file returns the file of the hand-off's output, below dir, the project's folder.
func (h *HandOff) file(dir string) string {
	if h.Item != 0 {
		return ItemOutput(dir, h.TID, h.Epoch, h.Item, Stdout)
	}
	return OutputFile(dir, h.TID, h.Epoch, Stdout)
}

// TakeItemResult removes the result of an item, the message id in the task's outbox. It
// returns false if it was removed before.
func TakeItemResult(tx *broker.Tx, tid string, id broker.ID) (taken bool, err error) {
	n, err := tx.Delete(OutboxOf(tid), broker.Select{ID: id})
	if err != nil || n == 0 {
		return false, err
	}
	err = dropAll(tx, itemFileKind, broker.RecordSelect{States: []string{tid}, AfterRank: int64(id) - 1, BeforeRank: int64(id) + 1})
	return err == nil, err
}

// dropItemFiles drops the records of the files of a task's items.
func dropItemFiles(tx *broker.Tx, t *Task) error {
	if !t.traits().items {
		return nil
	}
	return dropAll(tx, itemFileKind, broker.RecordSelect{States: []string{t.TID}})
}

// itemNeeded is [Attempt.Needed] for the file of an item: the item is being worked on, or
// the message that stands for the file may be read. If that message was in a queue of the
// user's, a reader may have it, so the file stays as long as its task.
func (a Attempt) itemNeeded(r broker.Reader, t *Task) (bool, error) {
	if !t.Status.Terminal() && a.Epoch == t.Epoch && t.Message == a.Item {
		return true, nil
	}
	f, err := itemFiles.get(r, itemFileKey(a.TID, a.Epoch, a.Item))
	if damaged(err) {
		return true, nil
	}
	if errors.Is(err, broker.ErrNotFound) || err == nil && a.Stream != Stdout {
		return false, nil
	}
	if err != nil || f.Body != OutboxOf(a.TID) {
		return err == nil, err
	}
	ms, err := r.Messages(f.Body, broker.Select{ID: broker.ID(f.Rank)})
	return len(ms) > 0, err
}
