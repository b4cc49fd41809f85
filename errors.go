package weft

import (
	"errors"
	"fmt"

	"weft/internal/function"
	"weft/internal/ledger"
	"weft/internal/project"
	"weft/internal/specstore"
	"weft/manager"
	"weft/taskspec"
)

// Errors of projects. All errors below come wrapped with what was tried; test for
// them with [errors.Is].
var (
	// ErrNoProject is returned by [Find] when no folder upward holds a project, and by
	// [OpenExisting] and [Diagnose] when the folder holds none.
	ErrNoProject = project.ErrNone
	// ErrOwner is returned by [Find] when the project it finds belongs to another
	// user. That project can be opened by name and read; every call that would change
	// it or run something returns ErrOwner, for root too, because tasks run as the
	// owner of the project.
	ErrOwner = project.ErrOwner
	// ErrNoInit is returned when a process of Weft has to be started, the program has
	// not called [Init], and the weft command is not on its PATH.
	ErrNoInit = errors.New("program does not call weft.Init: call it first in main, or put the weft command on PATH")
)

// Errors of managers.
var (
	// ErrManager is returned when no manager can be started; it wraps the reason. The
	// task that was submitted is withdrawn: it is cancelled and never runs.
	ErrManager = errors.New("no manager")
	// ErrManagerRunning is returned by [Project.Serve] when the project has a manager
	// and [ServeOptions].Only is set.
	ErrManagerRunning = manager.ErrRunning
	// ErrPIDNamespace is returned when the manager runs in another pid namespace, such as
	// a container, and this process would have to see its tasks.
	ErrPIDNamespace = errors.New("manager runs in another pid namespace")
	// ErrVersionSkew is returned when the project's manager is of another version of Weft,
	// which would misread what this version writes.
	ErrVersionSkew = ledger.ErrVersionSkew
)

// Errors of finding and submitting tasks.
var (
	// ErrNoTask is returned when no task of the project has an address: see [Project.Task].
	ErrNoTask = ledger.ErrNoTask
	// ErrNoBatch is returned when no task of the project is known to be of a batch.
	ErrNoBatch = errors.New("no such batch")
	// ErrAmbiguous is returned when several tasks have an address.
	ErrAmbiguous = ledger.ErrAmbiguous
	// ErrNoAttempt is returned when an attempt at a task has not begun, or nothing of
	// it is kept any more.
	ErrNoAttempt = errors.New("no such attempt")
	// ErrKeyHeld is returned, by a [KeyError] that wraps it, when another task holds
	// the key of a spec, or held it and has been removed.
	ErrKeyHeld = errors.New("key is held by another task")
	// ErrInputFromQueue is returned when a task is submitted with a standard input, and its
	// spec takes the work item from a queue (io.inputs.inbox).
	ErrInputFromQueue = errors.New("a task that takes its work item from a queue has no standard input")
)

// Errors of controlling tasks.
var (
	// ErrNotEnded is returned by [Task.Remove] when the task waits or runs: stop it first.
	ErrNotEnded = ledger.ErrNotEnded
	// ErrNotRunning is returned when a call needs a running task and the task does
	// not run.
	ErrNotRunning = ledger.ErrNotRunning
	// ErrNoPause is returned by [Task.Pause] and [Task.Resume] when the task is a
	// function with isolation "inline": a goroutine cannot be stopped.
	ErrNoPause = ledger.ErrNoPause
	// ErrNoRetry is returned by [Task.Retry] when a task cannot run again: it never
	// began, its policy has cleared its work item, or it is a stage of a pipeline.
	ErrNoRetry = ledger.ErrNoRetry
	// ErrNoTerminal is returned by [Task.Attach] when the spec of the task does not
	// set tty.
	ErrNoTerminal = errors.New("it has no terminal")
	// ErrNotInteractive is returned by [Task.SendInput] when the spec of the task does
	// not set interactive.
	ErrNotInteractive = ledger.ErrNotInteractive
	// ErrNotPersistent is returned when items are sent to a task whose spec does not
	// set persistent.
	ErrNotPersistent = ledger.ErrNotPersistent
	// ErrUnrecorded is returned when an order is carried out, or will be, but the
	// store cannot be written now. The end is recorded when it can.
	ErrUnrecorded = errors.New("done, and recorded when the store can be written")
	// ErrManagerStuck is returned by [Task.Stop] and [Task.Kill] when the order is given, but
	// the manager is stopped or cannot write, and will not carry it out soon.
	ErrManagerStuck = errors.New("the task has not ended yet")
)

// Errors of results.
var (
	// ErrResultConsumed is returned when the result of a task has been consumed.
	ErrResultConsumed = errors.New("result already taken")
	// ErrNoOutput is returned when the file of a large output has been removed, or was
	// never here because the task comes from a dump.
	ErrNoOutput = errors.New("the file of its output is not here")
	// ErrOutputChanged is returned when the file of a large output does not hold what the
	// task wrote, because another program changed or replaced it.
	ErrOutputChanged = errors.New("the file of its output was changed since")
)

// Errors of functions, stored specs and endpoints.
var (
	// ErrNoFunction is returned when no program has registered a function in the
	// project.
	ErrNoFunction = errors.New("no such function")
	// ErrNothingRegistered is returned when a program offers no functions: it does not call
	// [Init], or registers none before it does.
	ErrNothingRegistered = function.ErrNothingRegistered
	// ErrNoSpec is returned when no spec or pipeline is stored under a name, and no
	// file has that path.
	ErrNoSpec = specstore.ErrNone
	// ErrSpecExists is returned by [SpecFolder.Create] and [PipelineFolder.Create] when
	// the name is in use.
	ErrSpecExists = specstore.ErrExists
	// ErrSpecName is returned when no spec or pipeline can be stored under a name.
	ErrSpecName = specstore.ErrName
	// ErrNoEndpoint is returned when no running task has claimed a name.
	ErrNoEndpoint = errors.New("no such endpoint")
	// ErrClaimed is returned when another task has the name of an endpoint.
	ErrClaimed = ledger.ErrClaimed
	// ErrNotTask is returned when a call needs a running task, and this process is not
	// one.
	ErrNotTask = errors.New("not a running task")
)

// Errors of dumps.
var (
	// ErrIncompleteDump is returned when a dump has a request that cannot run as it was
	// meant, because part of it was hidden or is not in the dump.
	ErrIncompleteDump = ledger.ErrIncompleteDump
)

// A TaskError is returned when a task has ended and did not complete.
type TaskError struct {
	TID        string
	Status     taskspec.Status
	ReturnCode *int   // nil if it has none: lost, or never run
	Signal     string // the signal that the command died of, "SIGSEGV", or empty
	Reason     string // why it did not complete, one line
}

// Error names the task and the reason.
func (e *TaskError) Error() string {
	return fmt.Sprintf("task %s %s: %s", taskspec.ShortTID(e.TID), e.Status, e.Reason)
}

// A KeyError is returned when a task is not submitted because another task, with
// another spec or another input, holds its key, or because the task that held it has ended
// and was removed: see [Retention]. The directory and the environment of the submitter are
// not compared.
type KeyError struct {
	Key string
	TID string // the task that holds it; empty if both were to be submitted together
	// Removed means that the task was the same, has ended and is not known any more.
	Removed bool
}

// Error names the key and the task that holds it.
func (e *KeyError) Error() string {
	if e.TID == "" {
		return fmt.Sprintf("key %q stands for two different tasks", e.Key)
	}
	if e.Removed {
		return fmt.Sprintf("key %q was used by task %s, which has ended and was removed", e.Key, e.TID)
	}
	return fmt.Sprintf("key %q is held by task %s, which is a different one", e.Key, e.TID)
}

// Unwrap returns [ErrKeyHeld].
func (e *KeyError) Unwrap() error { return ErrKeyHeld }

// An ArgumentError is returned when a function cannot be called with the arguments
// of a task. Problems has one entry for each, as in `"width": got string, want
// integer`.
type ArgumentError = function.ArgumentError

// A DamagedError is returned when a record of the project cannot be read. It
// concerns only the task, or whatever else the record is of, until [System.Repair]
// sets it aside.
type DamagedError = ledger.DamagedError
