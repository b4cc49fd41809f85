package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"weft/internal/waittest"
)

// A seat is a person at a terminal, in a folder of their own, played by a test.
type seat struct {
	*testing.T
	dir string
	env []string
}

func newSeat(t *testing.T) *seat {
	t.Helper()
	s := &seat{T: t, dir: t.TempDir()}
	s.env = append(os.Environ(), "HOME="+s.dir, "TERM=xterm", "PS1=$ ", "ENV=", "BASH_ENV=", "INPUTRC=/dev/null",
		"GORACE=atexit_sleep_ms=0")
	t.Cleanup(func() { stopProcesses(t, "HOME="+s.dir) })
	s.weft("init", "-q")
	return s
}

// weft runs a command that needs no terminal and returns what it prints.
func (s *seat) weft(args ...string) string {
	s.Helper()
	cmd := s.command(args)
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.Fatalf("weft %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func (s *seat) command(args []string) *exec.Cmd {
	cmd := exec.Command("weft", args...)
	cmd.Dir, cmd.Env = s.dir, s.env
	return cmd
}

// A screen is a terminal in which weft runs.
type screen struct {
	*testing.T
	cmd    *exec.Cmd
	master *os.File
	slave  *os.File // held open, so that the terminal outlives weft
	before unix.Termios
	exited chan struct{}
	err    error // how weft ended; after exited

	mu      sync.Mutex
	shown   bytes.Buffer
	changed chan struct{}
	seen    int // how much of it was expected already
}

// open runs weft in a terminal of 30 by 100.
func (s *seat) open(args ...string) *screen {
	s.Helper()
	return s.openWith(true, args...)
}

// openWith is open for a program that perhaps has no keyboard: then its standard input
// is empty.
func (s *seat) openWith(keyboard bool, args ...string) *screen {
	s.Helper()
	master, slave, err := pty.Open()
	if err != nil {
		s.Fatal(err)
	}
	c := &screen{T: s.T, cmd: s.command(args), master: master, slave: slave, exited: make(chan struct{}), changed: make(chan struct{})}
	c.resize(30, 100)
	c.before = c.settings()
	c.cmd.Stdout, c.cmd.Stderr = slave, slave
	if keyboard {
		c.cmd.Stdin = slave
		c.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	}
	if err := c.cmd.Start(); err != nil {
		s.Fatal(err)
	}
	go func() {
		c.err = c.cmd.Wait()
		close(c.exited)
	}()
	read := make(chan struct{})
	go func() {
		defer close(read)
		p := make([]byte, 4096)
		for {
			n, err := master.Read(p)
			c.mu.Lock()
			c.shown.Write(p[:n])
			close(c.changed)
			c.changed = make(chan struct{})
			c.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	s.Cleanup(func() {
		_ = c.cmd.Process.Kill()
		<-c.exited
		slave.Close()
		<-read // the last end is closed
		master.Close()
	})
	return c
}

// expect waits until the terminal shows what matches, after what was expected
// before, and returns it.
func (c *screen) expect(pattern string) string {
	c.Helper()
	re := regexp.MustCompile(pattern)
	timeout := time.After(waittest.Limit())
	for {
		c.mu.Lock()
		rest, changed := c.shown.Bytes()[c.seen:], c.changed
		at := re.FindIndex(rest)
		if at != nil {
			c.seen += at[1]
			c.mu.Unlock()
			return string(rest[at[0]:at[1]])
		}
		shown := string(rest)
		c.mu.Unlock()
		select {
		case <-changed:
		case <-timeout:
			c.Fatalf("waited for %q in vain; shown since the last: %q", pattern, shown)
		}
	}
}

// all is what the terminal has shown.
func (c *screen) all() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.shown.String()
}

// press types keys.
func (c *screen) press(keys string) {
	c.Helper()
	if _, err := c.master.WriteString(keys); err != nil {
		c.Fatal(err)
	}
}

func (c *screen) resize(rows, cols uint16) {
	c.Helper()
	if err := pty.Setsize(c.slave, &pty.Winsize{Rows: rows, Cols: cols}); err != nil {
		c.Fatal(err)
	}
}

// settings are the terminal's, by which the next program finds it.
func (c *screen) settings() unix.Termios {
	c.Helper()
	t, err := unix.IoctlGetTermios(int(c.slave.Fd()), unix.TCGETS)
	if err != nil {
		c.Fatal(err)
	}
	return *t
}

// ends waits until weft has ended, with this code, and has left the terminal as
// it was.
func (c *screen) ends(code int) {
	c.Helper()
	select {
	case <-c.exited:
	case <-time.After(waittest.Limit()):
		c.Fatalf("weft has not ended; shown: %q", c.all())
	}
	got := 0
	if exit, ok := errors.AsType[*exec.ExitError](c.err); ok {
		got = exit.ExitCode()
	}
	if got != code {
		c.Errorf("weft ended with %d, want %d: %v", got, code, c.err)
	}
	if after := c.settings(); after != c.before {
		c.Errorf("settings of the terminal: %+v, before %+v", after, c.before)
	}
}

// shell opens a shell in a task with a terminal and waits for its prompt.
func (s *seat) shell(options ...string) *screen {
	s.Helper()
	c := s.open(append(append([]string{"run"}, options...), "bash", "--norc", "--noprofile", "--noediting")...)
	c.expect(`\$ `)
	return c
}

// keys that leave a task.
const detachKeys = "\x1cd"

// TestTerminal uses a shell in a task as one would use it without.
func TestTerminal(t *testing.T) {
	t.Parallel()
	s := newSeat(t)
	c := s.shell("--tty", "--exit-code")
	c.press("stty size; echo err >&2; test -t 0 && test -t 1 && test -t 2 && echo all\r")
	c.expect("\r\n30 100\r\nerr\r\nall\r\n\\$ ")
	c.resize(20, 90)
	c.press("trap 'echo now $(stty size)' WINCH; stty size\r") // whichever comes first
	c.expect("20 90\r\n")
	const inFront = `sh -c 'echo front $((1+1)); exec sleep 1000'` // and no longer the shell
	c.press(inFront + "\r")
	c.expect("front 2\r\n")
	c.press("\x03")
	c.expect(`\^C`)
	c.press("echo code $?\r")
	c.expect("code 130\r\n")
	c.press(`bash -c 'trap "echo again $((2+2))" CONT; echo front $((1+1)); while :; do read -t 0.05; done'` + "\r")
	c.expect("front 2\r\n")
	c.press("\x1a")
	c.expect("Stopped")
	c.press("fg\r")
	c.expect("again 4\r\n")
	c.press("\x03")
	c.expect(`\^C[^$]*\$ `) // or the loop would read what is typed next
	c.press("exit 7\r")
	c.ends(7)
	// What was seen is kept, and was taken with the end.
	if out := s.weft("task", "status", "@last"); !strings.Contains(out, "failed") {
		t.Errorf("status: %s", out)
	}
}

// TestTerminalEnd ends a program by Ctrl-D, and has its whole output, also that
// of one which is over before anybody could attach.
func TestTerminalEnd(t *testing.T) {
	t.Parallel()
	s := newSeat(t)
	c := s.open("run", "--tty", "cat")
	c.press("hello\r")
	c.expect("hello\r\nhello\r\n")
	c.press("\x04")
	c.ends(0)
	c = s.open("run", "-i", "sh", "-c", "seq 30000")
	c.expect("\r\n30000\r\n")
	c.ends(0)
	if lines := strings.Count(c.all(), "\r\n"); lines != 30000 {
		t.Errorf("%d lines of 30000", lines)
	}
}

// TestDetach leaves a shell, comes back to it twice at once, and ends it.
func TestDetach(t *testing.T) {
	t.Parallel()
	s := newSeat(t)
	c := s.shell("--tty")
	c.press("echo before $((1+1))\r")
	c.expect("before 2\r\n\\$ ")
	c.press(detachKeys)
	note := c.expect(`weft: detached: task \d{19} goes on; come back with weft attach \d{10}`)
	c.ends(0)
	tid := note[len(note)-10:]

	one := s.open("attach", tid)
	one.expect("before 2\r\n\\$ ")
	two := s.open("attach", "@last", "--detach-keys", "ctrl-],q")
	two.expect("before 2\r\n\\$ ")
	one.press("echo from $((1+0))\r")
	one.expect("from 1\r\n")
	two.expect("from 1\r\n")
	two.press("echo from $((1+1))\r")
	one.expect("from 2\r\n")
	two.expect("from 2\r\n")
	two.press("\x1dq")
	two.expect("detached")
	two.ends(0)
	one.press("exit\r")
	one.ends(0)

	late := s.open("attach", tid)
	late.expect(`weft: attach to task \d{19}: task is not running: it completed: see weft result \d{10}\r\n`)
	late.ends(2)
	s.weft("result", tid) // attach took nothing
}

// TestSignals ends the client, and the task goes on.
func TestSignals(t *testing.T) {
	t.Parallel()
	s := newSeat(t)
	c := s.shell("--tty")
	if err := c.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	c.expect("detached")
	c.ends(128 + int(syscall.SIGHUP))

	c = s.open("attach", "@last")
	c.expect(`\$ `)
	if err := c.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-c.exited
	c = s.open("attach", "@last")
	c.press("echo still $((1+1))\r")
	c.expect("still 2\r\n")
	c.press("exit\r")
	c.ends(0)
}

// TestTerminalWithoutManager kills the manager, and the session goes on, with
// the client that is there and with another.
func TestTerminalWithoutManager(t *testing.T) {
	t.Parallel()
	s := newSeat(t)
	c := s.shell("--tty")
	var pid int
	if _, err := fmt.Sscan(strings.TrimPrefix(regexp.MustCompile(`"pid":\d+`).FindString(s.weft("manager", "list", "--json")), `"pid":`), &pid); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	c.press("echo alone $((1+1))\r")
	c.expect("alone 2\r\n")
	c.press(detachKeys)
	c.ends(0)
	c = s.open("attach", "@last")
	c.expect("alone 2\r\n")
	c.press("exit 3\r")
	c.ends(1)
}

// TestTerminalStop stops a shell, which ignores SIGTERM, and lets the time of
// another run out, which leaves a process behind that holds the terminal.
func TestTerminalStop(t *testing.T) {
	t.Parallel()
	s := newSeat(t)
	c := s.shell("--tty", "--stop-grace", "1000")
	c.press("sleep 1000 & echo begun\r")
	c.expect("begun\r\n")
	s.weft("task", "stop", "@last")
	c.ends(1)
	c = s.open("run", "--tty", "--timeout", "1", "--stop-grace", "1000",
		"bash", "-c", "(trap '' HUP TERM; exec sleep 1000) & exec bash --norc --noprofile --noediting")
	c.ends(exitTimeout)
}

// TestSlots runs terminals beside tasks that hold every slot.
func TestSlots(t *testing.T) {
	t.Parallel()
	s := newSeat(t)
	s.env = append(s.env, "WEFT_MAX_TASKS=1")
	s.weft("run", "--no-wait", "sleep", "1000")
	c := s.shell("--tty")
	d := s.shell("--tty")
	for _, c := range []*screen{c, d} {
		c.press("exit\r")
		c.ends(0)
	}
	s.weft("manager", "stop")
}

// TestKeysAreNotStored looks for what was typed unseen in all that is left of a
// task while it runs, and after it has ended.
func TestKeysAreNotStored(t *testing.T) {
	t.Parallel()
	s := newSeat(t)
	const secret = "correct-horse-battery"
	c := s.open("run", "--tty", "sh", "-c", `stty -echo; echo ask; read a; echo "got ${#a}"; read b`)
	c.expect("ask\r\n")
	c.press(secret + "\r")
	c.expect(fmt.Sprintf("got %d\r\n", len(secret)))
	s.weft("system", "dump", "-o", filepath.Join(s.dir, "dump"), "--include-secrets")
	look := func() {
		t.Helper()
		err := filepath.WalkDir(s.dir, func(path string, d os.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return nil // it went while we looked, or holds nothing
			}
			out, err := exec.Command("grep", "-c", "-a", secret, path).Output()
			if err == nil {
				t.Errorf("%s has what was typed: %s", path, out)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	look()
	c.press("\r")
	c.ends(0)
	look()
}

// TestPrograms uses programs for people.
func TestPrograms(t *testing.T) {
	t.Parallel()
	s := newSeat(t)
	t.Run("python3", func(t *testing.T) {
		c := s.program(t, "python3", "-q")
		c.expect(`>>> `)
		c.press("print(6*7)\r")
		c.expect("[\r\n]42\r\n[^>]*>>> ") // before that Ctrl-D would be lost
		c.press("\x04")
		c.ends(0)
	})
	t.Run("sqlite3", func(t *testing.T) {
		c := s.program(t, "sqlite3")
		c.expect(`sqlite> `)
		c.press("select 6*7;\r")
		c.expect("[\r\n]42\r\n")
		c.press(".quit\r")
		c.ends(0)
	})
	t.Run("vim", func(t *testing.T) {
		file := filepath.Join(s.dir, "text")
		c := s.program(t, "vim", "-u", "NONE", "-N", "-c", "set noswapfile", file)
		c.expect(`\x1b\[\?1049h`) // the other screen
		c.press("ihello\x1b")
		c.expect("hello")
		c.press(detachKeys)
		c.expect(`\x1b\[\?1049l`) // and back
		c.expect("detached")
		c.ends(0)
		c = (&seat{t, s.dir, s.env}).open("attach", "@last")
		c.expect(`\x1b\[\?1049h`)
		c.expect("hello") // drawn anew
		c.press(":wq\r")
		c.ends(0)
		if text, err := os.ReadFile(file); string(text) != "hello\n" {
			t.Errorf("written: %q, %v", text, err)
		}
	})
}

// program opens a program in a task, if it is there.
func (s *seat) program(t *testing.T, name string, args ...string) *screen {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("no %s here: %v", name, err)
	}
	return (&seat{t, s.dir, s.env}).open(append([]string{"run", "-i", name}, args...)...)
}
