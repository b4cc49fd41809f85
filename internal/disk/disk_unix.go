//go:build linux || darwin

package disk

import "golang.org/x/sys/unix"

// SpaceIn returns the space of the file system that the folder dir is on, and
// whether it is known.
func SpaceIn(dir string) (Space, bool) {
	var st unix.Statfs_t
	if unix.Statfs(dir, &st) != nil {
		return Space{}, false
	}
	size := int64(st.Bsize)
	return Space{Free: int64(st.Bavail) * size, Total: int64(st.Blocks) * size}, true
}
