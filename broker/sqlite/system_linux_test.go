package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"weft/broker"
)

// modesRole opens a store in a process that would leave everything open to
// everybody.
func modesRole(args []string) error {
	unix.Umask(0)
	b, err := Open(args[0], Options{})
	if err != nil {
		return err
	}
	w, err := b.Listen("a")
	if err != nil {
		return err
	}
	defer w.Close()
	for _, q := range []string{"a", "b"} {
		if _, err := b.Queue(q).Write(context.Background(), "x"); err != nil {
			return err
		}
	}
	var wrong []string
	files := 0
	err = filepath.WalkDir(args[0], func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		want := fs.FileMode(0o600)
		if d.IsDir() {
			want = fs.ModeDir | 0o700
		}
		if info.Mode()&^fs.ModeNamedPipe != want { // bells are pipes
			wrong = append(wrong, fmt.Sprintf("%s has mode %v, want %v", path, info.Mode(), want))
		}
		files++
		return nil
	})
	if err := errors.Join(err, b.Close()); err != nil {
		return err
	}
	// Two folders, the database and its two logs, the ballast, a bell or more.
	if len(wrong) > 0 || files < 7 {
		return fmt.Errorf("%d files; %s", files, strings.Join(wrong, "; "))
	}
	return nil
}

func TestModes(t *testing.T) {
	t.Parallel()
	start(t, "open modes", filepath.Join(t.TempDir(), ".weft")).finish()
}

func TestFilesystems(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"NFS", "SMB", "SMB (cifs)", "SMB 2", "FUSE", "9p", "AFS", "Coda", "virtiofs"} {
		found := false
		for kind, called := range unshared {
			if called != name {
				continue
			}
			found = true
			err := refuseFilesystem("/some/where", kind)
			if !errors.Is(err, broker.ErrFilesystem) || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "/some/where") {
				t.Errorf("%s: error %v, want one that names it and the folder", name, err)
			}
		}
		if !found {
			t.Errorf("%s is not refused", name)
		}
	}
	for name, kind := range map[string]int64{
		"ext4": unix.EXT4_SUPER_MAGIC, "XFS": unix.XFS_SUPER_MAGIC, "btrfs": unix.BTRFS_SUPER_MAGIC, "tmpfs": unix.TMPFS_MAGIC,
		"overlay": unix.OVERLAYFS_SUPER_MAGIC, "ZFS": 0x2fc12fc1, "F2FS": unix.F2FS_SUPER_MAGIC,
	} {
		if err := refuseFilesystem("/some/where", kind); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTmpfs(t *testing.T) {
	t.Parallel()
	var st unix.Statfs_t
	if err := unix.Statfs("/dev/shm", &st); err != nil || st.Type != unix.TMPFS_MAGIC {
		t.Skip("no tmpfs at /dev/shm")
	}
	dir, err := os.MkdirTemp("/dev/shm", "weft")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	b, err := Open(dir, Options{})
	must(t, err)
	_, err = b.Queue("q").Write(t.Context(), "x")
	must(t, err)
	must(t, b.Close())
	check(t, dir)
}

// forbidDescriptors makes every opening of a file fail until allow is called.
func forbidDescriptors() (allow func() error, err error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return nil, err
	}
	next, err := unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.Close(next); err != nil {
		return nil, err
	}
	// All below the lowest free descriptor are in use.
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: uint64(next), Max: limit.Max}); err != nil {
		return nil, err
	}
	return func() error { return unix.Setrlimit(unix.RLIMIT_NOFILE, &limit) }, nil
}
