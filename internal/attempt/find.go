package attempt

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"weft/taskspec"
)

// defaultPath is where shells search for programs if PATH is not set.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// find looks up the program that a command names, as a shell does, in the environment and
// the directory of the task. If it finds none it returns the outcome of the task.
func find(name, dir string, env []string) (path string, failed *taskspec.Outcome) {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return "", notStarted(false, "working directory %q: no such directory", dir)
	}
	if strings.ContainsRune(name, filepath.Separator) {
		path = name
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		return path, checkExecutable(name, path)
	}
	var found *taskspec.Outcome
	search := Lookup(env, "PATH")
	if !slices.ContainsFunc(env, func(entry string) bool { return strings.HasPrefix(entry, "PATH=") }) {
		search = defaultPath
	}
	for _, folder := range filepath.SplitList(search) {
		path := filepath.Join(folder, name)
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		failed := checkExecutable(name, path)
		if failed == nil {
			return path, nil
		}
		if *failed.ReturnCode != codeNotFound && found == nil {
			found = failed // found, but not executable: report it if no other folder has one
		}
	}
	if found == nil {
		found = notStarted(true, "%s: command not found", name)
	}
	return "", found
}

// codeNotFound is the exit code with which a shell reports that a command does not exist.
const codeNotFound = 127

// checkExecutable returns the outcome of a task whose program at path cannot be executed,
// or nil.
func checkExecutable(name, path string) *taskspec.Outcome {
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

// Lookup returns the value of a variable in env; the last one counts.
func Lookup(env []string, name string) (value string) {
	for _, entry := range env {
		if v, ok := strings.CutPrefix(entry, name+"="); ok {
			value = v
		}
	}
	return value
}
