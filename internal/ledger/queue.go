package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"strconv"
	"strings"
)

// The queues that belong to Weft itself.
const (
	Requests       = "weft.spawn.requests"
	Delayed        = "weft.spawn.delayed" // requests that are not due yet
	Log            = "weft.log.tasks"
	ManagerControl = "weft.manager.ctrl_in"
	ManagerReplies = "weft.manager.ctrl_out"
	// Damaged holds the requests of tasks whose records are damaged. Nobody gives
	// them out, and without their records they would seem to be written by hand.
	Damaged = "weft.spawn.damaged"
)

// InlinePrefix begins the names of the queues of requests for functions that run
// inside the programs that serve them.
const InlinePrefix = "weft.inline."

// InlineRequests is the queue of requests for the function with this name: who
// has registered it serves them, wherever that program lies.
func InlineRequests(name string) string {
	clean := strings.NewReplacer(":", ".", "/", ".").Replace(name)
	if clean != name { // what a queue's name cannot hold tells functions apart
		sum := sha256.Sum256([]byte(name))
		clean += "-" + hex.EncodeToString(sum[:8])
	}
	return InlinePrefix + clean
}

// isRequests reports whether the messages of a queue are requests.
func isRequests(queue string) bool {
	return queue == Requests || queue == Delayed || queue == Damaged || strings.HasPrefix(queue, InlinePrefix) || strings.HasPrefix(queue, waitingPrefix)
}

// Queues are the queues of one task.
type Queues struct {
	Inbox, Reserved, Outbox, ControlIn, ControlOut string
	// Attempts holds the results of attempts that were followed by others.
	Attempts string
}

// OutboxOf is the Outbox of [QueuesOf]: who waits for a task listens to it.
func OutboxOf(tid string) string { return "T" + tid + ".outbox" }

// QueuesOf names the queues of the task tid.
func QueuesOf(tid string) Queues { return queuesOwned("T" + tid + ".") }

// PipelineQueues names the queues of the pipeline tid.
func PipelineQueues(tid string) Queues { return queuesOwned("P" + tid + ".") }

// queuesOwned names the queues whose names begin with t.
func queuesOwned(t string) Queues {
	// One string, for they are needed often.
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

// OutputFile is where the output of an attempt at a task goes while it is too
// large or too slow to be held in memory. Paths are made from the task's id and
// epoch and never taken from a message, which a task could forge.
func OutputFile(weftDir, tid string, epoch int, stream Stream) string {
	return filepath.Join(weftDir, OutputDir, outputName(tid, epoch, stream))
}

// outputName is the name of an [OutputFile], without its folder.
func outputName(tid string, epoch int, stream Stream) string {
	return tid + "." + strconv.Itoa(epoch) + "." + string(stream)
}

// InputFile is where the standard input of a task waits if it does not fit a
// message. name is chosen at random by the submitter; or it is that of an
// [OutputFile], if the task is a stage that reads what another has written.
func InputFile(weftDir, name string) string {
	name = filepath.Base(name)
	if _, isOutput := ParseOutputFile(name); !isOutput {
		name += inputExtension
	}
	return filepath.Join(weftDir, OutputDir, name)
}

// InlineInput is the largest standard input, in bytes, that is put into a message
// itself; a larger one, or one that is not text, is in a file.
const InlineInput = 64 << 10

// inputExtension is what the name of a submitter's input ends in.
const inputExtension = ".in"

// Stream is one of a task's two output streams.
type Stream string

// The streams; the values are also the endings of their files.
const (
	Stdout Stream = "out"
	Stderr Stream = "err"
)
