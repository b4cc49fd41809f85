//go:build unix

package bell

import "golang.org/x/sys/unix"

// openFlags are added to the open of the file (os adds O_CLOEXEC): nothing but a
// file in the folder itself is written to, and a pipe in its place cannot block us.
const openFlags = unix.O_NOFOLLOW | unix.O_NONBLOCK
