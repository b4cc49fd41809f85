package proc

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Environ returns the environment that a process was executed with, each entry followed by
// a NUL byte. It does not show later changes by the program. Errors wrap [ErrGone] if there
// is no such process or it is a zombie, [ErrChanging], and EACCES for a process of another
// user or one that the kernel protects (a set-uid program). The environment is empty for a
// process whose main thread has ended but that still runs: the kernel does not show it.
func Environ(pid int) ([]byte, error) {
	environ, err := readEnviron("/proc/" + strconv.Itoa(pid))
	if err != nil {
		return nil, fmt.Errorf("read environment of process %d: %w", pid, gone(err))
	}
	return environ, nil
}

// environSize is the first size tried for an environment; few are larger.
const environSize = 8 << 10

func readEnviron(dir string) (environ []byte, err error) {
	// One read sees one program. A second read, of the rest, could follow an exec, and
	// would find the end of the file where the old program had more.
	for size := environSize; ; size *= 8 {
		environ, err = readInto(make([]byte, size), dir+"/environ")
		if len(environ) < size {
			break
		}
	}
	if len(environ) > 0 {
		return environ, nil
	}
	// An empty environment can mean many things. For a process that has released its memory
	// the kernel returns "no such process" to some callers and "permission denied" to
	// others.
	if err != nil && err != unix.ESRCH && err != unix.EACCES {
		return nil, err
	}
	data, statErr := readInto(make([]byte, statSize), dir+"/stat")
	if statErr != nil {
		return nil, statErr
	}
	s, statErr := ParseStat(data)
	m := parseMemory(data)
	switch {
	case statErr != nil:
		return nil, statErr
	case s.Ended():
		return nil, ErrGone
	case s.Kernel || s.State == 'Z':
		return nil, nil
	case m.none():
		return nil, ErrChanging
	case err == unix.EACCES:
		return nil, err
	case m.noEnviron():
		return nil, nil
	}
	return nil, ErrChanging
}

// memory are fields of a stat file about the memory of a process.
type memory struct {
	size                         string // field 23 of proc_pid_stat(5)
	endCode, environ, environEnd string // fields 27, 50 and 51: addresses
}

// parseMemory returns the zero memory if fields are missing (before Linux 3.5).
func parseMemory(stat []byte) memory {
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) <= 51-3 {
		return memory{}
	}
	return memory{fields[23-3], fields[27-3], fields[50-3], fields[51-3]}
}

// none reports whether the process has released its memory, as it does when it exits.
func (m memory) none() bool { return m.size == "0" }

// noEnviron reports whether the process has an environment without entries. An exec first
// sets the two addresses to equal values and then to the final ones. The end of the code is
// set after them: as long as that is 0, nothing is final.
func (m memory) noEnviron() bool {
	return m.endCode != "" && m.endCode != "0" && m.environ == m.environEnd
}
