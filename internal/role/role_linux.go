package role

import (
	"fmt"
	"os"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"weft/internal/inherit"
)

// inherited is the descriptor on which a re-executed process finds its end of
// the socket: the first behind the standard three.
const inherited = 3

// Pair returns the two ends of a socket: one to keep and one to give to the
// process that is started, as its first extra file. Both are closed on exec.
func Pair() (ours, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("create socket pair: %w", err)
	}
	return os.NewFile(uintptr(fds[0]), "weft"), os.NewFile(uintptr(fds[1]), "weft"), nil
}

// Take returns the role this process was started for and its end of the
// socket, or None. It removes the role from the environment and closes every
// other inherited descriptor on exec, so that nothing of it reaches a task.
//
// A manager and a consumer outlive whoever started them and serve others too: they
// keep no descriptors of it, and of a manager's starter nothing that
// [inherit.Clean] sheds.
func Take() (Role, *os.File) {
	r := Role(os.Getenv(variable))
	if r == None {
		return None, nil
	}
	var st unix.Stat_t
	if !slices.Contains(known(), r) || unix.Fstat(inherited, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFSOCK {
		os.Unsetenv(variable)
		return None, nil
	}
	switch r {
	case Manager:
		closeOthers()
		inherit.Clean()
	case Consumer:
		closeOthers()
		inherit.CleanSignals()
	}
	os.Unsetenv(variable)
	if unix.CloseRange(inherited, ^uint(0)>>1, unix.CLOSE_RANGE_CLOEXEC) != nil {
		unix.CloseOnExec(inherited) // Linux before 5.11: at least our own
	}
	if unix.SetNonblock(inherited, true) != nil {
		return None, nil
	}
	return r, os.NewFile(inherited, "weft")
}

// closeOthers closes what this process has got from its starter behind the socket:
// a lock or a pipe of that is not to be held. What the process has opened itself
// by now, the runtime for example, is closed on exec, and stays.
func closeOthers() {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return // then they are closed on exec, at least
	}
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		if err != nil || fd <= inherited {
			continue
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			unix.Close(fd)
		}
	}
}

// Extra is the file that the starter of this process gave it behind the socket.
// Call it once, after [Take].
func Extra() *os.File { return os.NewFile(inherited+1, "weft-extra") }
