//go:build linux

package weft_test

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"weft"
	"weft/broker"
	"weft/internal/ledger"
	"weft/internal/proc"
	"weft/internal/waittest"
)

// problems are the findings about dir that need the user, by what was looked
// at.
func problems(t *testing.T, dir string) map[string]weft.Finding {
	t.Helper()
	found, err := weft.Diagnose(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	bad := make(map[string]weft.Finding)
	for _, f := range found {
		if f.State == weft.FindingProblem {
			bad[f.Check] = f
		}
	}
	return bad
}

// wantProblem fails the test unless this is wrong, the finding has the text in
// it, and nothing else is wrong. Where the store is damaged, other things cannot
// be looked at.
func wantProblem(t *testing.T, dir, check, text string) {
	t.Helper()
	bad := problems(t, dir)
	f, ok := bad[check]
	if !ok || !strings.Contains(f.Found+f.Advice, text) || len(bad) > 1 && !strings.Contains(f.Found, "malformed") {
		t.Errorf("problems are %+v, want one with %q about the %s", bad, text, check)
	}
}

// newQuiet returns the root of a project that no process has open, in which all is
// well.
func newQuiet(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	p, err := weft.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// inFolder is a path in the project's folder.
func inFolder(dir string, names ...string) string {
	return filepath.Join(append([]string{dir, ledger.Dir}, names...)...)
}

// storeOf is the path of the store.
func storeOf(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(inFolder(dir, "*.db"))
	if err != nil || len(files) != 1 {
		t.Fatalf("look for the store: %q, %v", files, err)
	}
	return files[0]
}

func TestDoctorFindsNothing(t *testing.T) {
	t.Parallel()
	dir := newQuiet(t)
	before := listing(t, dir)
	if bad := problems(t, dir); len(bad) > 0 {
		t.Errorf("nothing is wrong, but there is %+v", bad)
	}
	if diff := cmp.Diff(before, listing(t, dir)); diff != "" {
		t.Errorf("the project has changed (-before +after):\n%s", diff)
	}
}

func TestDoctorFindsNoProject(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := weft.Diagnose(t.Context(), dir); !errors.Is(err, weft.ErrNoProject) {
		t.Errorf("got error %v, want %v", err, weft.ErrNoProject)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("it was made: %v, %v", entries, err)
	}
}

func TestDoctorFindsHarm(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		harm        func(t *testing.T, dir string) error
		check, text string
	}{
		"folder for all": {func(_ *testing.T, dir string) error { return os.Chmod(inFolder(dir), 0o755) }, "folder", "0755"},
		"file for all":   {func(_ *testing.T, dir string) error { return os.Chmod(inFolder(dir, "config.json"), 0o640) }, "folder", "chmod go= "},
		"no database": {func(t *testing.T, dir string) error {
			return os.WriteFile(storeOf(t, dir), []byte(strings.Repeat("not a database ", 1000)), 0o600)
		}, "store", "not a weft store"},
		"damaged": {func(t *testing.T, dir string) error {
			whole, err := os.ReadFile(storeOf(t, dir))
			if err != nil {
				return err
			}
			const page = 4096
			copy(whole[page:], strings.Repeat("\xff", len(whole)-page))
			return os.WriteFile(storeOf(t, dir), whole, 0o600)
		}, "store", "malformed"},
		"missing": {func(t *testing.T, dir string) error { return os.Remove(storeOf(t, dir)) }, "store", "missing"},
		"settings": {func(_ *testing.T, dir string) error {
			return os.WriteFile(inFolder(dir, "config.json"), []byte("{"), 0o600)
		}, "store", "read settings"},
		"something for rings": {func(_ *testing.T, dir string) error {
			return os.WriteFile(inFolder(dir, "bells", "7f"), nil, 0o600)
		}, "wake-ups", "7f"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := newQuiet(t)
			if err := test.harm(t, dir); err != nil {
				t.Fatal(err)
			}
			before := listing(t, dir)
			wantProblem(t, dir, test.check, test.text)
			if diff := cmp.Diff(before, listing(t, dir)); diff != "" {
				t.Errorf("the project has changed (-before +after):\n%s", diff)
			}
		})
	}
}

// listing is every file of a project with its mode and size.
func listing(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err == nil {
			all[path] = info.Mode().String()
			if info.Mode().IsRegular() {
				all[path] += fmt.Sprintf(" %d bytes", info.Size())
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestDoctorFindsTasks looks at tasks that no process will end.
func TestDoctorFindsTasks(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	self, err := proc.Self()
	if err != nil {
		t.Fatal(err)
	}
	dead := self
	dead.Ticks-- // who had the pid before

	alive := p.fakeTask(self, proc.Identity{})
	wantProblem(t, p.dir, "manager", "weft manager start")
	lost := p.fakeTask(dead, proc.Identity{})
	queued := p.queue()
	bad := problems(t, p.dir)
	if f := bad["tasks"]; len(bad) != 2 || !strings.Contains(f.Found, lost[9:]) || strings.Contains(f.Found, alive[9:]) {
		t.Errorf("got %+v, want the manager, and only task %s", bad, lost)
	}

	end := func(command ledger.Command, tid string) {
		t.Helper()
		err := p.open().Broker().Update(p.ctx, func(tx *broker.Tx) error {
			if _, err := ledger.End(tx, tid, command, time.Now()); err != nil {
				return err
			}
			return ledger.MarkLost(tx, tid, 1, time.Now())
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.open().Queue(ledger.QueuesOf(tid).ControlIn).Delete(p.ctx, broker.Select{}); err != nil {
			t.Fatal(err)
		}
	}
	end(ledger.CommandStop, alive)
	end(ledger.CommandStop, lost)
	if _, err := p.open().Queue(ledger.Requests).Delete(p.ctx, broker.Select{}); err != nil {
		t.Fatal(err)
	}
	if f := problems(t, p.dir)["tasks"]; !strings.Contains(f.Found, "deleted") || !strings.Contains(f.Advice, "weft task stop "+queued[9:]) {
		t.Errorf("got %+v, want task %s without a request", f, queued)
	}
	end(ledger.CommandStop, queued)
	if bad := problems(t, p.dir); len(bad) > 0 {
		t.Errorf("nothing is wrong any more, but there is %+v", bad)
	}
}

// queue submits a task and starts nobody who would run it.
func (p *project) queue() (tid string) {
	p.t.Helper()
	err := p.open().Broker().Update(p.ctx, func(tx *broker.Tx) (err error) {
		tid, _, err = ledger.Submit(tx, ledger.Submission{Spec: shell("echo never"), Item: "{}", Dir: p.dir}, time.Now())
		return err
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return tid
}

// watcherVariable makes TestWatcher watch a queue of the project in that folder.
const watcherVariable = "WEFT_TEST_WATCH_IN"

// TestWatcher is no test by itself but the process that
// TestWatchersNeedNoInotify starts. It would look by itself only after an hour.
func TestWatcher(t *testing.T) {
	dir := os.Getenv(watcherVariable)
	if dir == "" {
		t.Skip("nobody wants to watch")
	}
	p, err := weft.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for m, err := range p.Queue("rings").Watch(t.Context(), broker.WatchOptions{PollInterval: time.Hour}) {
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println(m.Body)
		if m.Body == "last" {
			return
		}
	}
}

// TestWatchersNeedNoInotify uses all inotify instances up that the user may
// have: a watcher in another process is woken all the same, and doctor names the
// limit.
func TestWatchersNeedNoInotify(t *testing.T) {
	exhaustInotify(t)
	dir := newQuiet(t)
	found, err := weft.Diagnose(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	named := false
	for _, f := range found {
		named = named || f.Check == "wake-ups" && f.State == weft.FindingOK &&
			strings.Contains(f.Found, "fs.inotify.max_user_instances") && strings.Contains(f.Found, "used up")
	}
	if !named {
		t.Errorf("doctor does not name the limit: %+v", found)
	}

	p, err := weft.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	watcher := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^TestWatcher$")
	watcher.Env = append(os.Environ(), watcherVariable+"="+dir)
	out, err := watcher.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := watcher.Start(); err != nil {
		t.Fatal(err)
	}
	defer watcher.Wait()
	hangs := time.AfterFunc(waittest.Limit(), func() { watcher.Process.Kill() })
	defer hangs.Stop()
	lines := bufio.NewScanner(out)
	for _, body := range []string{"first", "second", "third", "fourth", "last"} {
		if _, err := p.Queue("rings").Write(t.Context(), body); err != nil {
			t.Fatal(err)
		}
		if !lines.Scan() || lines.Text() != body {
			t.Fatalf("the watcher was not woken by %q: %q, %v", body, lines.Text(), lines.Err())
		}
	}
}

// exhaustInotify takes all inotify instances that the user may have, until the
// end of the test.
func exhaustInotify(t *testing.T) {
	t.Helper()
	const most = 4096
	for range most {
		fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
		if errors.Is(err, unix.EMFILE) {
			spare, err := unix.Dup(0)
			if err != nil {
				t.Skip("this process may not have as many descriptors as its user has inotify instances")
			}
			unix.Close(spare)
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(fd) })
	}
	t.Skipf("the user may have more than %d inotify instances", most)
}
