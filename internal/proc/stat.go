package proc

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"unicode"
)

// Stat is what /proc/PID/stat tells about a process. Pids and ids are those of the pid
// namespace that /proc was mounted in; 0 stands for a process outside of it.
type Stat struct {
	PID     int
	Comm    string // name of the executable or of the main thread, at most 15 bytes, any byte but NUL
	State   byte   // R, S, D, T, t, Z, X …: proc_pid_stat(5)
	PPID    int    // the parent: after its death the nearest child subreaper above it, or init
	Group   int    // process group, -1 when the process has been reaped meanwhile
	Session int    // session, -1 when the process has been reaped meanwhile
	Kernel  bool   // a thread of the kernel, not a program
	Threads int    // number of threads, including a main thread that has ended before the others
	Ticks   uint64 // when it started, in clock ticks since boot
}

// kernelThread is PF_KTHREAD of the kernel's include/linux/sched.h: outside the
// documented interface, but unchanged since Linux 2.6.27.
const kernelThread = 0x00200000

// Ended reports whether the process has ended: it is a zombie, or being
// removed. A process whose main thread has ended before the others has the
// state of a zombie too, but still runs.
func (s Stat) Ended() bool {
	switch s.State {
	case 'Z':
		return s.Threads <= 1
	case 'X', 'x':
		return true
	}
	return false
}

// ParseStat parses the content of a /proc/PID/stat file. A process chooses its own command
// name, which may contain spaces, parentheses and newlines; so the fields are counted from
// the last parenthesis. Fields after the start time are not parsed, but there must be one:
// it shows that the start time is complete.
//
// The parser is our own because a search reads this one file for every process of the
// machine: a plain read with this parser takes 8 µs, the same through procfs 20 µs.
func ParseStat(data []byte) (Stat, error) {
	open, end := bytes.IndexByte(data, '('), bytes.LastIndexByte(data, ')')
	if open < 0 || end < open {
		return Stat{}, errors.New("parse stat: no command name in parentheses")
	}
	pid, err := strconv.Atoi(string(bytes.TrimSpace(data[:open])))
	if err != nil {
		return Stat{}, fmt.Errorf("parse stat: pid: %w", err)
	}
	s := Stat{PID: pid, Comm: string(data[open+1 : end])}

	// The numbers are those of proc_pid_stat(5), where the pid is field 1 and the name
	// field 2.
	number := 2
	for field := range bytes.FieldsSeq(data[end+1:]) {
		number++
		var err error
		switch number {
		case 3:
			if s.State = field[0]; s.State > unicode.MaxASCII || !unicode.IsLetter(rune(s.State)) {
				err = fmt.Errorf("%q is no state", field)
			}
		case 4:
			s.PPID, err = strconv.Atoi(string(field))
		case 5:
			s.Group, err = strconv.Atoi(string(field))
		case 6:
			s.Session, err = strconv.Atoi(string(field))
		case 9:
			var flags uint64
			flags, err = strconv.ParseUint(string(field), 10, 64)
			s.Kernel = flags&kernelThread != 0
		case 20:
			s.Threads, err = strconv.Atoi(string(field))
		case 22:
			s.Ticks, err = strconv.ParseUint(string(field), 10, 64)
		case 23:
			return s, nil
		}
		if err != nil {
			return Stat{}, fmt.Errorf("parse stat: field %d: %w", number, err)
		}
	}
	return Stat{}, fmt.Errorf("parse stat: ends at field %d of 23", number)
}
