package role

import (
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"
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
func Take() (Role, *os.File) {
	r := Role(os.Getenv(variable))
	if r == None {
		return None, nil
	}
	os.Unsetenv(variable)
	if !slices.Contains(known(), r) {
		return None, nil
	}
	var st unix.Stat_t
	if unix.Fstat(inherited, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFSOCK {
		return None, nil
	}
	if unix.CloseRange(inherited, ^uint(0)>>1, unix.CLOSE_RANGE_CLOEXEC) != nil {
		unix.CloseOnExec(inherited) // Linux before 5.11: at least our own
	}
	if unix.SetNonblock(inherited, true) != nil {
		return None, nil
	}
	return r, os.NewFile(inherited, "weft")
}

// Extra is the file that the starter of this process gave it behind the socket.
// Call it once, after [Take].
func Extra() *os.File { return os.NewFile(inherited+1, "weft-extra") }
