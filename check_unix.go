//go:build linux || darwin

package weft

import "golang.org/x/sys/unix"

// freeDisk is how many bytes an ordinary user may still write below dir, and
// whether that is known.
func freeDisk(dir string) (int64, bool) {
	var st unix.Statfs_t
	if unix.Statfs(dir, &st) != nil {
		return 0, false
	}
	return int64(st.Bavail) * int64(st.Bsize), true
}
