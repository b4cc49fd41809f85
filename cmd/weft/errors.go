package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"weft"
	"weft/broker"
	"weft/internal/jsonobject"
	"weft/internal/literal"
	"weft/taskspec"
)

// The exit codes.
const (
	exitError       = 1   // a failed task, a malformed value, anything else
	exitNotFound    = 2   // also an empty queue and wrong usage
	exitConflict    = 3   // of a dump with what is there
	exitTimeout     = 124 // of the task or of the wait
	exitInterrupted = 130 // after Ctrl-C; after another signal 128 and its number
	exitPipe        = 141 // as a program exits that SIGPIPE has ended
)

// exitCode ends the program with a code and without a word, because all has
// been said and written. 0 is success.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

// usageError is a command line that cannot be carried out as it stands.
type usageError struct{ text string }

func (e usageError) Error() string { return e.text }

// noneOf says that there is nothing of what was asked for.
type noneOf struct{ text string }

func (e noneOf) Error() string { return e.text }

// A waitedError is the cause of a context that has ended because so much time is
// over. What it has kept from being done is not worth telling.
type waitedError time.Duration

func (e waitedError) Error() string {
	return fmt.Sprintf("timed out waiting after %s", time.Duration(e))
}

// kinds says what the errors are called in JSON, how the program exits, and
// what to do about them. The first that matches counts.
func kinds() []kind {
	return []kind{
		{errInterrupted, "interrupted", exitInterrupted, ""},
		{context.Canceled, "interrupted", exitInterrupted, ""}, // only a signal cancels
		{context.DeadlineExceeded, "timeout", exitTimeout, ""},
		{weft.ErrNoProject, "no_project", exitNotFound, "create one with weft init, or name one with --context"},
		{weft.ErrOwner, "foreign_project", exitError, ""},
		{weft.ErrNoTask, "task_not_found", exitNotFound, ""},
		{weft.ErrNoBatch, "batch_not_found", exitNotFound, ""},
		{weft.ErrAmbiguous, "ambiguous_tid", exitNotFound, "give the id of one"},
		{weft.ErrNoTerminal, "no_terminal", exitError, "what it prints is shown by weft logs -f"},
		{weft.ErrNotRunning, "not_running", exitError, ""},
		{weft.ErrNotEnded, "not_ended", exitError, "stop it with weft stop"},
		{weft.ErrNoRetry, "no_retry", exitError, ""},
		{weft.ErrKeyHeld, "key_held", exitError, "give another key"},
		{weft.ErrResultConsumed, "result_taken", exitNotFound, ""},
		{weft.ErrNoPause, "cannot_pause", exitError, ""},
		{weft.ErrNoSpec, "spec_not_found", exitNotFound, ""},
		{weft.ErrNoFunction, "function_not_found", exitNotFound, "see weft function list"},
		{weft.ErrNothingRegistered, "no_functions", exitError, ""},
		{weft.ErrSpecName, "invalid_spec_name", exitError, ""},
		{weft.ErrSpecExists, "already_exists", exitError, "replace it with --force"},
		{errNoManager, "no_manager", exitNotFound, "start it with weft manager start"},
		{weft.ErrManagerRunning, "manager_running", exitError, "take over from it with --replace, or end it with weft manager stop"},
		{broker.ErrGone, "store_gone", exitError, "look where the project is now"},
		{weft.ErrUnrecorded, "unrecorded", exitError, ""},
		{weft.ErrManagerStuck, "stuck", exitError, ""},
		{weft.ErrManager, "no_manager", exitError, ""},
		{weft.ErrNoAttempt, "no_attempt", exitNotFound, ""},
		{weft.ErrNoOutput, "output_missing", exitNotFound, ""},
		{weft.ErrIncompleteDump, "incomplete_request", exitError, ""},
		{broker.ErrFuture, "future_ids", exitError, "set the clock, or take them in with --force"},
		{broker.ErrConflict, "conflict", exitConflict, ""},
		{broker.ErrDump, "bad_dump", exitError, ""},
		{broker.ErrEmpty, "empty", exitNotFound, ""},
		{broker.ErrName, "invalid_queue_name", exitError, ""},
		{broker.ErrID, "invalid_id", exitError, ""},
		{literal.ErrTime, "invalid_time", exitError, ""},
		{broker.ErrBody, "invalid_message", exitError, ""},
		{broker.ErrTooLarge, "message_too_large", exitError, ""},
		{broker.ErrSameQueue, "same_queue", exitError, ""},
		{broker.ErrExists, "already_exists", exitError, ""},
		{broker.ErrNotFound, "not_found", exitError, ""}, // an alias
		{broker.ErrAlias, "invalid_alias", exitError, ""},
		{broker.ErrPattern, "invalid_pattern", exitError, ""},
		{broker.ErrView, "read_only", exitError, ""},
		{weft.ErrNoEndpoint, "endpoint_not_found", exitNotFound, ""},
		{weft.ErrClaimed, "endpoint_claimed", exitError, ""},
		{weft.ErrNotTask, "not_a_task", exitError, "use it in a command that weft runs"},
		{broker.ErrBusy, "busy", exitError, "try again"},
		{broker.ErrFull, "disk_full", exitError, "make room and try again"},
		{broker.ErrUnwritable, "store_unwritable", exitError, "see ulimit -f, the mount and the disk"},
		{broker.ErrCorrupt, "store_damaged", exitError, "stop what uses it and restore a backup: see weft system doctor and weft system load"},
		{broker.ErrNotStore, "not_a_store", exitError, ""},
		{broker.ErrNewer, "newer_store", exitError, "use a newer weft"},
		{broker.ErrFilesystem, "unsuitable_filesystem", exitError, ""},
		{errors.ErrUnsupported, "unsupported", exitError, ""},
		{fs.ErrPermission, "permission_denied", exitError, ""},
	}
}

type kind struct {
	err  error
	code string // in JSON
	exit int
	hint string
}

// classify finds the kind of an error.
func classify(err error) kind {
	if _, ok := errors.AsType[usageError](err); ok {
		return kind{code: "usage", exit: exitNotFound}
	}
	if _, ok := errors.AsType[noneOf](err); ok {
		return kind{code: "not_found", exit: exitNotFound}
	}
	if _, ok := errors.AsType[waitedError](err); ok {
		return kind{code: "timeout", exit: exitTimeout}
	}
	for _, k := range kinds() {
		if errors.Is(err, k.err) {
			if k.err == errInterrupted {
				k.exit = int(exitOf(err))
			}
			return k
		}
	}
	if _, ok := errors.AsType[*taskspec.ValidationError](err); ok {
		return kind{code: "invalid_spec", exit: exitError}
	}
	if _, ok := errors.AsType[*weft.ArgumentError](err); ok {
		return kind{code: "invalid_arguments", exit: exitError}
	}
	return kind{code: "error", exit: exitError}
}

// report writes what is wrong, if anything is, and returns the exit code.
func (a *app) report(err error) int {
	if flushErr := a.stdout.finish(); err == nil {
		err = flushErr
	}
	code, done := errors.AsType[exitCode](err)
	switch {
	case err == nil:
		return 0
	case done:
		return int(code)
	case a.stdout.closed():
		// The reader of the answer has closed it: that is no error.
		if a.delivers {
			return exitPipe
		}
		return 0
	}
	k := classify(err)
	if waited, ok := errors.AsType[waitedError](err); ok {
		err = waited
	}
	a.complain(err, k)
	return k.exit
}

// complain writes an error as one line.
func (a *app) complain(err error, k kind) {
	text := strings.ReplaceAll(err.Error(), "\n", "; ") // joined errors
	if k.hint != "" {
		text += ": " + k.hint
	}
	if !a.JSON {
		a.note("%s", text)
		return
	}
	a.noteJSON(object("error", readable(text), "code", k.code))
}

// note tells the person at the terminal, or the log, something beside the
// answer.
func (a *app) note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if a.JSON {
		a.noteJSON(object("note", readable(text)))
		return
	}
	fmt.Fprintf(a.stderr, "weft: %s\n", visible(text))
}

func (a *app) noteJSON(v any) {
	line, err := jsonobject.Encode(v)
	if err != nil {
		line = []byte(err.Error())
	}
	fmt.Fprintf(a.stderr, "%s\n", spelled(line, escapeJSON))
}
