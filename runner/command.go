package runner

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"weft/internal/ledger"
	"weft/internal/project"
	"weft/taskspec"
)

// find returns the program that a command names, looked up as a shell would in
// the task's own environment and directory, or how a task ends that names it.
func find(name, dir string, env []string) (path string, failed *taskspec.Outcome) {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return "", notStarted(false, "working directory %q: no such directory", dir)
	}
	if strings.ContainsRune(name, filepath.Separator) {
		path = name
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		return path, unfit(name, path)
	}
	var found *taskspec.Outcome
	for _, folder := range filepath.SplitList(lookup(env, "PATH")) {
		path := filepath.Join(folder, name)
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		failed := unfit(name, path)
		if failed == nil {
			return path, nil
		}
		if *failed.ReturnCode != codeNotFound && found == nil {
			found = failed // it is there, but not for us: say so if nothing better comes
		}
	}
	if found == nil {
		found = notStarted(true, "%s: command not found", name)
	}
	return "", found
}

// codeNotFound is the shell's code for a command that does not exist.
const codeNotFound = 127

// unfit says why the file at path cannot be executed, or nil.
func unfit(name, path string) *taskspec.Outcome {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return notStarted(true, "%s: command not found", name)
	case err != nil:
		return notStarted(false, "%s: %v", name, errors.Unwrap(err))
	case info.IsDir():
		return notStarted(false, "%s: is a directory", name)
	case info.Mode()&0o111 == 0:
		return notStarted(false, "%s: permission denied", name)
	}
	return nil
}

func notStarted(notFound bool, format string, args ...any) *taskspec.Outcome {
	return new(taskspec.NotStarted(notFound, fmt.Sprintf(format, args...)))
}

// lookup is the value of a variable in env; the last one counts.
func lookup(env []string, name string) (value string) {
	for _, entry := range env {
		if v, ok := strings.CutPrefix(entry, name+"="); ok {
			value = v
		}
	}
	return value
}

// discardInput removes the file that held the standard input, if the message it
// belongs to has gone with the end of the task.
func (a *Assignment) discardInput(o taskspec.Outcome) {
	policy := o.Policy(taskspec.Work{ReservedPolicyOnError: a.OnError, ReservedPolicyOnStop: a.OnStop})
	if a.Input != "" && policy == taskspec.PolicyClear {
		_ = project.RemoveOutput(ledger.InputFile(a.WeftDir, a.Input)) // else tidy finds it
	}
}
