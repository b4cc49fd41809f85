//go:build unix

package notify

import "golang.org/x/sys/unix"

// openFlags are added to each open of a bell: nothing is followed out of the
// folder, and a pipe that has nobody at its other end does not block us.
const openFlags = unix.O_NOFOLLOW | unix.O_NONBLOCK
