package consumer

import (
	"slices"
	"unicode/utf8"

	"weft/internal/ledger"
	"weft/internal/project"
	"weft/taskspec"
)

// forItem returns the assignment of a persistent task for one item, or the outcome of an
// item that is not valid.
func (a *Assignment) forItem(item *ledger.Item) (*Assignment, *taskspec.Outcome) {
	own := *a
	own.Item = item
	if a.Function != nil {
		call, err := a.Function.Call.With(item.Body)
		if err != nil {
			return &own, new(taskspec.Rejected(err.Error()))
		}
		f := *a.Function
		f.Call, own.Function = call, &f
		return &own, nil
	}
	work, err := taskspec.CommandItem(item.Body)
	if err != nil {
		return &own, new(taskspec.Rejected(err.Error()))
	}
	own.Argv, own.Stdin = append(slices.Clip(a.Argv), work.Args...), work.Stdin
	return &own, nil
}

// outputFile is the file of a stream that does not stay in memory.
func (a *Assignment) outputFile(s ledger.Stream) string {
	if a.Item != nil {
		return ledger.ItemOutput(a.WeftDir, a.TID, a.Epoch, a.Item.Message, s)
	}
	return ledger.OutputFile(a.WeftDir, a.TID, a.Epoch, s)
}

// itemResult is [result] for an item, whose message needs more room around the output. Of
// its standard error it keeps the end.
func itemResult(h *ledger.HandOff, stdout, stderr *output, a *Assignment) (kept []*output) {
	room := max(a.MaxMessage-ledger.ItemEnvelope, a.MaxMessage/2)
	limit := a.OutputLimit
	if all, fits := stdout.inline(min(limit, int64(room))); fits && a.Function == nil && tooLong(all, room) {
		limit = -1
	}
	if !describeStdout(h, stdout, limit, room, false) {
		kept = append(kept, stdout)
	}
	describeStderr(h, stderr)
	noteIncomplete(h, stdout, stderr)
	return kept
}

// tooLong reports whether text does not fit into room bytes once it is quoted.
func tooLong(text []byte, room int) bool {
	const longest = len(`\u0000`) // of one byte
	return len(text)*longest > room && utf8.Valid(text) && ledger.QuotedSize(text) > room
}

// discardInput removes the file of the standard input, if the end of the task has removed
// the message that the file belongs to.
func (a *Assignment) discardInput(o taskspec.Outcome) {
	policy := o.Policy(taskspec.Work{ReservedPolicyOnError: a.OnError, ReservedPolicyOnStop: a.OnStop})
	if a.Input != "" && policy == taskspec.PolicyClear {
		_ = project.RemoveOutput(ledger.InputFile(a.WeftDir, a.Input)) // else tidy removes it
	}
}
