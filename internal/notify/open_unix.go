//go:build unix

package notify

import "golang.org/x/sys/unix"

// openFlags are the additional flags for opening the file of a channel: no symbolic link is
// followed, and opening a pipe without a process at its other end does not block.
const openFlags = unix.O_NOFOLLOW | unix.O_NONBLOCK
