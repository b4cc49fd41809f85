package sqlite

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// shared are file systems that can hold a store. A file system that is in neither list is
// used all the same.
var shared = map[int64]string{
	unix.EXT4_SUPER_MAGIC:      "ext4", // or ext2, ext3: they have the same number
	unix.XFS_SUPER_MAGIC:       "xfs",
	unix.BTRFS_SUPER_MAGIC:     "btrfs",
	unix.F2FS_SUPER_MAGIC:      "f2fs",
	unix.OVERLAYFS_SUPER_MAGIC: "overlayfs",
	unix.TMPFS_MAGIC:           "tmpfs",
	0x2fc12fc1:                 "zfs",
}

// Filesystem returns the name of the file system that dir is on. The error wraps
// [weft/broker.ErrFilesystem] if it cannot hold a store.
func Filesystem(dir string) (name string, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return "", fmt.Errorf("inspect file system of %s: %w", dir, err)
	}
	kind := int64(uint32(st.Type))
	if err := refuseFilesystem(dir, kind); err != nil {
		return unshared[kind], err
	}
	if name, known := shared[kind]; known {
		return name, nil
	}
	return fmt.Sprintf("kind %#x", kind), nil
}

// SafeLocks reports whether the locks of a store that this process opens survive when other
// code in it opens and closes the file. It chooses such locks if that is still possible, as
// [Open] does.
func SafeLocks() bool { return safeLocks() == nil }
