package weft

import (
	"errors"
	"fmt"
)

// ErrKeyHeld is what a [KeyError] wraps.
var ErrKeyHeld = errors.New("key is held by another task")

// A KeyError says that a task was not submitted, because its key is held by one
// that was submitted with another spec or another input. The directory and the
// environment of the submitter are not compared.
type KeyError struct {
	Key string
	TID string // the task that holds it; empty if it was to be submitted together with this one
}

// Error names the key and the task that holds it.
func (e *KeyError) Error() string {
	if e.TID == "" {
		return fmt.Sprintf("key %q stands for two different tasks", e.Key)
	}
	return fmt.Sprintf("key %q is held by task %s, which is a different one", e.Key, e.TID)
}

// Unwrap returns [ErrKeyHeld].
func (e *KeyError) Unwrap() error { return ErrKeyHeld }

// IsNew reports whether the submission that returned t made the task. It is
// false for one that held its key already, and for what [Project.Task] finds.
func (t *Task) IsNew() bool { return t.isNew }
