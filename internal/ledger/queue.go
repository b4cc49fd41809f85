package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"strconv"
	"strings"
)

// The queues of Weft itself.
const (
	Log            = "weft.log.tasks"
	ManagerControl = "weft.manager.ctrl_in"
	ManagerReplies = "weft.manager.ctrl_out"

	// Requests holds the requests of tasks that can run as soon as a slot is free, and all
	// that are written by hand.
	Requests = spawnPrefix + "requests"
	// SlotlessRequests holds those of tasks that need no slot.
	SlotlessRequests = spawnPrefix + "slotless"
	// WaitingRequests holds those of tasks that cannot run yet: the request index has a
	// record of each. It notifies of delayed tasks.
	WaitingRequests = spawnPrefix + "waiting"
	// Damaged holds the requests of tasks whose records are damaged. They are not
	// dispatched: without their records they would seem to be written by hand.
	Damaged = spawnPrefix + "damaged"

	spawnPrefix = "weft.spawn."

	// TakenOutputs holds the outputs of tasks whose results have been taken, under the ids
	// of the results; empty ones have no message. The name is as long as that of an outbox:
	// then SQLite changes the name of the queue in place, and does not write the body again.
	TakenOutputs = "weft.outputs.that.were.read"
)

// InlinePrefix is the prefix of the queues of requests for functions that run inside the
// programs that serve them.
const InlinePrefix = "weft.inline."

// InlineRequests returns the queue of requests for the function with this name: every
// program that has registered it serves them.
func InlineRequests(name string) string {
	clean := strings.NewReplacer(":", ".", "/", ".").Replace(name)
	if clean != name { // the hash distinguishes names with characters that a queue's name cannot hold
		sum := sha256.Sum256([]byte(name))
		clean += "-" + hex.EncodeToString(sum[:8])
	}
	return InlinePrefix + clean
}

// isRequests reports whether the messages of a queue are requests.
func isRequests(queue string) bool {
	return strings.HasPrefix(queue, spawnPrefix) || strings.HasPrefix(queue, InlinePrefix)
}

// Queues are the queues of one task.
type Queues struct {
	Inbox, Reserved, Outbox, ControlIn, ControlOut string
	// Attempts holds the results of attempts that were followed by others.
	Attempts string
}

// OutboxOf returns the Outbox of [QueuesOf], to which the waiters for a task listen.
func OutboxOf(tid string) string { return "T" + tid + ".outbox" }

// QueuesOf returns the queues of the task tid.
func QueuesOf(tid string) Queues { return queuesOwned("T" + tid + ".") }

// PipelineQueues returns the queues of the pipeline tid.
func PipelineQueues(tid string) Queues { return queuesOwned("P" + tid + ".") }

// queuesOwned returns the queues with the prefix t.
func queuesOwned(t string) Queues {
	// one string, because they are needed often
	all := t + "inbox" + t + "reserved" + t + "outbox" + t + "ctrl_in" + t + "ctrl_out" + t + "attempts"
	next := func(name string) (queue string) {
		n := len(t) + len(name)
		queue, all = all[:n], all[n:]
		return queue
	}
	return Queues{
		Inbox:      next("inbox"),
		Reserved:   next("reserved"),
		Outbox:     next("outbox"),
		ControlIn:  next("ctrl_in"),
		ControlOut: next("ctrl_out"),
		Attempts:   next("attempts"),
	}
}

// Dir is the name of a project's folder, below its root.
const Dir = ".weft"

// OutputFile returns the file for the output of an attempt at a task that is too large or
// too slow to be kept in memory. Paths are made from the task's id and epoch and never
// taken from a message, which a task could forge.
func OutputFile(weftDir, tid string, epoch int, stream Stream) string {
	return filepath.Join(weftDir, OutputDir, outputName(tid, epoch, stream))
}

// outputName returns the name of an [OutputFile], without its folder.
func outputName(tid string, epoch int, stream Stream) string {
	return tid + "." + strconv.Itoa(epoch) + "." + string(stream)
}

// InputFile returns the file of the standard input of a task if that does not fit into a
// message. The submitter chooses name at random; or it is the name of an [OutputFile], if
// the task is a stage that reads the output of another.
func InputFile(weftDir, name string) string {
	name = filepath.Base(name)
	if _, isOutput := ParseOutputFile(name); !isOutput {
		name += inputExtension
	}
	return filepath.Join(weftDir, OutputDir, name)
}

// InlineInput is the largest standard input, in bytes, that is put into the message; a
// larger one, or one that is not text, goes into a file.
const InlineInput = 64 << 10

// inputExtension is the extension of the file of a submitter's input.
const inputExtension = ".in"

// Stream is one of a task's two output streams.
type Stream string

// The streams; the values are also the extensions of their files.
const (
	Stdout Stream = "out"
	Stderr Stream = "err"
)

// Index is the extension of the file of the index that tells in which order the streams
// were written.
const Index Stream = "idx"
