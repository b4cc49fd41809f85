//go:build unix

package weft

import (
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// ownerName is the name of the user that a file belongs to, as sudo(8) takes it.
func ownerName(info fs.FileInfo) string {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "OWNER"
	}
	id := strconv.FormatUint(uint64(st.Uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return "'#" + id + "'"
}

// sameFilesystem reports whether no mount lies between two folders.
func sameFilesystem(a, b string) bool {
	devA, okA := device(a)
	devB, okB := device(b)
	return okA && okB && devA == devB
}

func device(path string) (uint64, bool) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return uint64(st.Dev), true
}
