package consumer

import (
	"unicode/utf8"

	"weft/internal/ledger"
	"weft/internal/project"
	"weft/taskspec"
)

// itemResult is [result] for an item, whose message needs more room around the output. Of
// its standard error it keeps the end.
func itemResult(h *ledger.HandOff, stdout, stderr *output, a *ledger.Assignment) (kept []*output) {
	room := max(a.MaxMessage-ledger.ItemEnvelope, a.MaxMessage/2)
	limit := a.Work.OutputLimit()
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
// the message that the file belongs to. If there may be another attempt, that keeps it.
func discardInput(a *ledger.Assignment, o taskspec.Outcome) {
	w := a.Work
	if w.Retry != nil {
		w.ReservedPolicyOnError = taskspec.PolicyKeep
	}
	if a.Input != "" && o.Policy(w) == taskspec.PolicyClear {
		_ = project.RemoveOutput(ledger.InputFile(a.WeftDir, a.Input)) // else tidy removes it
	}
}
