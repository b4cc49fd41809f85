package monitor

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"syscall"

	"weft/internal/proc"
)

// hasCookie reports whether the environment of a process held all of entries when it was
// executed, and whether that is certain: it is not during an exec. A process of another
// user, one that may not be read and one that is gone have no cookie.
func hasCookie(pid int, entries []string) (has, sure bool, err error) {
	// Root could read the environment of every process. But a process of another user must
	// not be able to name itself a member and have its descendants killed.
	info, err := os.Stat("/proc/" + strconv.Itoa(pid))
	if errors.Is(err, fs.ErrNotExist) {
		return false, true, nil
	}
	if err != nil {
		return false, false, err
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); !ok || int(owner.Uid) != os.Geteuid() {
		return false, true, nil
	}
	environ, err := proc.Environ(pid)
	switch {
	case errors.Is(err, proc.ErrGone), errors.Is(err, fs.ErrPermission):
		return false, true, nil
	case errors.Is(err, proc.ErrChanging):
		return false, false, nil
	case err != nil:
		return false, false, err
	}
	return holds(environ, entries), true, nil
}

// bears reports whether a process was executed with one of the entries in its environment.
func bears(pid int, entries []string) bool {
	if len(entries) == 0 {
		return false
	}
	environ, err := proc.Environ(pid)
	if err != nil {
		return false
	}
	for entry := range bytes.SplitSeq(environ, []byte{0}) {
		if slices.Contains(entries, string(entry)) {
			return true
		}
	}
	return false
}

// holds reports whether environ, whose entries each end in NUL, has all of entries.
func holds(environ []byte, entries []string) bool {
	found := make(map[string]bool)
	for entry := range bytes.SplitSeq(environ, []byte{0}) {
		found[string(entry)] = true
	}
	return !slices.ContainsFunc(entries, func(entry string) bool { return !found[entry] })
}
