package sqlite

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
	driver "modernc.org/sqlite"

	"weft/broker"
)

// allocate allocates n bytes for f.
func allocate(f *os.File, n int64) error {
	err := unix.Fallocate(int(f.Fd()), 0, 0, n)
	if errors.Is(err, unix.EOPNOTSUPP) {
		_, err = f.Write(make([]byte, n))
	}
	return err
}

// unshared are the file systems on which processes cannot share a store: the log needs
// memory that all of them map, and locks that all of them see. The numbers are those of
// statfs(2).
var unshared = map[int64]string{
	unix.NFS_SUPER_MAGIC:  "NFS",
	unix.SMB_SUPER_MAGIC:  "SMB",
	unix.CIFS_SUPER_MAGIC: "SMB (cifs)",
	unix.SMB2_SUPER_MAGIC: "SMB 2",
	unix.FUSE_SUPER_MAGIC: "FUSE",
	unix.V9FS_MAGIC:       "9p",
	unix.AFS_SUPER_MAGIC:  "AFS",
	unix.CODA_SUPER_MAGIC: "Coda",
	0x6a656a63:            "virtiofs",
}

func checkFilesystem(dir string) error {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return fmt.Errorf("inspect file system of %s: %w", dir, err)
	}
	// The field's width differs between architectures; the numbers have 32 bits.
	return refuseFilesystem(dir, int64(uint32(st.Type)))
}

// refuseFilesystem returns an error if dir, on a file system of that kind, cannot hold a
// store.
func refuseFilesystem(dir string, kind int64) error {
	if name, bad := unshared[kind]; bad {
		return fmt.Errorf("%w: %s is on %s; put the project on a local disk", broker.ErrFilesystem, dir, name)
	}
	return nil
}

// safeLocks switches SQLite, for the whole process, to locks that survive the closing of
// another descriptor of the file.
func safeLocks() error {
	if driver.OFDLockingEnabled() {
		return nil
	}
	_, err := driver.OFDLocking(true)
	if errors.Is(err, driver.ErrOFDLockingTooLate) {
		return fmt.Errorf("%w: call weft.Init, or open the store, before any other SQLite file", broker.ErrLockMode)
	}
	return err
}

// othersWait reports whether another process has a ticket for the store in dir.
func othersWait(dir string) bool {
	fd, err := openFolder(dir)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	return errors.Is(unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB), unix.EWOULDBLOCK)
}

// takeTicket takes a place behind the processes that wait for the store in dir. If the
// folder cannot be locked there is no order.
func takeTicket(dir string) *ticket {
	fd, err := openFolder(dir)
	if err != nil {
		return unordered()
	}
	t := &ticket{unlock: func() { unix.Close(fd) }}
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); !errors.Is(err, unix.EWOULDBLOCK) {
		t.first = true
		return t
	}
	t.turn, t.left = make(chan struct{}), make(chan struct{})
	go func() {
		// The lock cannot be cancelled: after leave, it ends in its turn.
		for errors.Is(unix.Flock(fd, unix.LOCK_EX), unix.EINTR) {
		}
		select {
		case t.turn <- struct{}{}:
		case <-t.left:
			t.unlock()
		}
	}()
	return t
}

func openFolder(dir string) (fd int, err error) {
	return unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
}
