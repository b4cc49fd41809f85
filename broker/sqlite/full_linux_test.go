package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"weft/broker"
)

// A filler is a store that is filled until there is no room, and what it has
// acknowledged.
type filler struct {
	dir string
	*broker.Broker
	written map[broker.ID]bool
	refusal error // of what is too much
}

func newFiller(dir string) (*filler, error) {
	b, err := Open(dir, Options{})
	return &filler{dir: dir, Broker: b, written: map[broker.ID]bool{}, refusal: broker.ErrFull}, err
}

// write writes a message of n bytes.
func (f *filler) write(n int) error {
	id, err := f.Queue("q").Write(context.Background(), strings.Repeat("x", n))
	if err == nil {
		f.written[id] = true
	}
	return err
}

// fill writes messages until there is no room, large ones first, until stop
// says that it is enough.
func (f *filler) fill(stop func() bool) error {
	for n := 1 << 16; n > 0; {
		if stop() {
			return nil
		}
		switch err := f.write(n); {
		case errors.Is(err, f.refusal):
			n /= 16
		case err != nil:
			return fmt.Errorf("write on a disk that fills: %w", err)
		}
	}
	return nil
}

// compare says how the queue differs from what was acknowledged: a message
// that was refused must not be there either.
func (f *filler) compare() error {
	stored := 0
	for m, err := range f.Queue("q").Messages(context.Background(), broker.Select{}) {
		if err != nil {
			return err
		}
		if !f.written[m.ID] {
			return fmt.Errorf("message %v is there and was refused", m.ID)
		}
		stored++
	}
	if stored != len(f.written) {
		return fmt.Errorf("%d messages of %d are there", stored, len(f.written))
	}
	return nil
}

// refused does all that changes the store while there is no room. Each must
// succeed, or say that there is no room and leave everything as it was.
func (f *filler) refused() error {
	ctx := context.Background()
	q := f.Queue("q")
	full := func(what string, err error) error {
		if !errors.Is(err, f.refusal) {
			return fmt.Errorf("%s without room: error %v, want %v", what, err, f.refusal)
		}
		return f.compare()
	}
	_, write := q.Write(ctx, strings.Repeat("x", 1<<20))
	_, writeAll := q.WriteAll(ctx, []string{"x", strings.Repeat("x", 1<<20)})
	update := f.Update(ctx, func(tx *broker.Tx) error {
		_, _ = tx.Write("q", strings.Repeat("x", 1<<20)) // swallowed, and told all the same
		return nil
	})
	if err := errors.Join(full("write", write), full("write all", writeAll), full("update", update)); err != nil {
		return err
	}
	for range 3 {
		m, err := q.Read(ctx)
		if err == nil {
			delete(f.written, m.ID)
		} else if err := full("read", err); err != nil {
			return err
		}
	}
	return f.compare()
}

// works does a bit of everything that must succeed.
func (f *filler) works() error {
	ctx := context.Background()
	if err := f.write(10); err != nil {
		return err
	}
	m, err := f.Queue("q").Read(ctx)
	if err != nil {
		return err
	}
	delete(f.written, m.ID)
	if m, err = f.Queue("q").Move(ctx, "r"); err != nil {
		return err
	}
	delete(f.written, m.ID)
	if n, err := f.Queue("r").Delete(ctx, broker.Select{ID: m.ID}); err != nil || n != 1 {
		return fmt.Errorf("deleted %d: %w", n, err)
	}
	return f.Update(ctx, func(tx *broker.Tx) error {
		_, err := tx.Write("done", "x")
		return errors.Join(err, tx.PutRecord(broker.Record{Kind: "task", Key: "t", Rank: 1}))
	})
}

// ballast reports whether the ballast is there.
func (f *filler) ballast() bool {
	_, err := os.Lstat(filepath.Join(f.dir, "ballast"))
	return !errors.Is(err, fs.ErrNotExist)
}

// end closes the store and looks it over.
func (f *filler) end() error {
	err := errors.Join(f.compare(), f.Close(), examine(f.dir))
	say("acknowledged", len(f.written))
	return err
}

// smallFileRole fills a store until its files must not grow any more.
func smallFileRole(args []string) error {
	f, err := newFiller(args[0])
	if err != nil {
		return err
	}
	f.refusal = broker.ErrUnwritable // the disk has room
	if err := f.write(1 << 16); err != nil {
		return err
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 1 << 20, Max: limit.Max}); err != nil {
		return err
	}
	if err := f.fill(func() bool { return false }); err != nil {
		return err
	}
	if f.ballast() {
		return errors.New("there is no room, and the ballast is still there")
	}
	if err := f.refused(); err != nil {
		return err
	}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	return errors.Join(f.works(), f.end())
}

func TestSmallFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	start(t, "small file", dir).finish()
	check(t, dir)
}

// fullDiskRole fills a disk, which it mounts where nobody else sees it.
func fullDiskRole(args []string) error {
	dir := args[0]
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=24m"); err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	f, err := newFiller(dir)
	if err != nil {
		return err
	}
	other := filepath.Join(dir, "other")
	if err := os.WriteFile(other, make([]byte, 8<<20), 0o600); err != nil {
		return err
	}
	if err := f.fill(func() bool { return !f.ballast() }); err != nil {
		return err
	}
	if f.ballast() {
		return errors.New("there is no room, and the ballast is still there")
	}
	// The write that found no room was not refused: now there is some.
	if err := errors.Join(f.works(), f.compare()); err != nil {
		return fmt.Errorf("with the room of the ballast: %w", err)
	}
	if err := f.fill(func() bool { return false }); err != nil {
		return err
	}
	if err := f.refused(); err != nil {
		return err
	}
	if err := os.Remove(other); err != nil {
		return err
	}
	if err := f.works(); err != nil {
		return fmt.Errorf("with room again: %w", err)
	}
	return f.end()
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	c := newChild(t, "full disk", t.TempDir())
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS}
	if os.Getuid() != 0 {
		c.cmd.SysProcAttr.Cloneflags = unix.CLONE_NEWUSER
		c.cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		c.cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	if err := c.cmd.Start(); errors.Is(err, unix.EPERM) {
		t.Skip("mounting is forbidden here; TestSmallFile does the like:", err)
	} else {
		must(t, err)
	}
	err := c.end()
	if err != nil && strings.Contains(err.Error(), "mount: operation not permitted") {
		t.Skip("mounting is forbidden here; TestSmallFile does the like:", err)
	}
	must(t, err)
}

// inject puts a descriptor of another file, or with other rights, in the place
// of those that this process has of a file.
func inject(t *testing.T, path, other string, rights int) {
	t.Helper()
	fd, err := unix.Open(other, rights|unix.O_CLOEXEC, 0)
	must(t, err)
	defer unix.Close(fd)
	fds, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	found := 0
	for _, entry := range fds {
		var n int
		if target, err := os.Readlink("/proc/self/fd/" + entry.Name()); err != nil || target != path {
			continue
		}
		_, err := fmt.Sscan(entry.Name(), &n)
		must(t, err)
		if n == fd {
			continue
		}
		must(t, unix.Dup3(fd, n, unix.O_CLOEXEC))
		found++
	}
	if found == 0 {
		t.Fatalf("%s is not open", path)
	}
}

// TestStorageFails lets the log fail under a commit: /dev/null takes everything
// and cannot be synced; a descriptor for reading refuses what is written, as a
// limit on the size of files does.
func TestStorageFails(t *testing.T) {
	t.Parallel()
	calls := []struct {
		name string
		do   func(*broker.Broker) error
	}{
		{"write", func(b *broker.Broker) error { _, err := b.Queue("q").Write(context.Background(), "x"); return err }},
		{"read", func(b *broker.Broker) error { _, err := b.Queue("q").Read(context.Background()); return err }},
		{"move", func(b *broker.Broker) error { _, err := b.Queue("q").Move(context.Background(), "r"); return err }},
		{"update", func(b *broker.Broker) error {
			return b.Update(context.Background(), func(tx *broker.Tx) error { _, err := tx.Write("q", "x"); return err })
		}},
	}
	for _, call := range calls {
		t.Run(call.name, func(t *testing.T) {
			t.Parallel()
			dir, err := filepath.EvalSymlinks(t.TempDir())
			must(t, err)
			log := filepath.Join(dir, Name+"-wal")
			b, err := Open(dir, Options{})
			must(t, err)
			for range 3 {
				_, err := b.Queue("q").Write(t.Context(), "x")
				must(t, err)
			}
			before := contents(t, b, "q")

			inject(t, log, os.DevNull, unix.O_RDWR)
			if err := call.do(b); !errors.Is(err, broker.ErrUncertain) {
				t.Errorf("sync fails: error %v, want %v", err, broker.ErrUncertain)
			}
			if after := contents(t, b, "q"); len(after) != len(before) {
				t.Errorf("%d messages after the failure, want %d", len(after), len(before))
			}
			must(t, call.do(b))

			inject(t, log, log, unix.O_RDONLY)
			must(t, call.do(b)) // the ballast goes, and it is done again
			if (&filler{dir: dir}).ballast() {
				t.Error("there was no room, and the ballast is still there")
			}
			inject(t, log, log, unix.O_RDONLY)
			now := contents(t, b, "q")
			if err := call.do(b); !errors.Is(err, broker.ErrUnwritable) || errors.Is(err, broker.ErrFull) {
				t.Errorf("no ballast: error %v, want %v", err, broker.ErrUnwritable)
			}
			if after := contents(t, b, "q"); len(after) != len(now) {
				t.Errorf("%d messages after the failure, want %d", len(after), len(now))
			}
			must(t, b.Close())
			check(t, dir)
		})
	}
}
