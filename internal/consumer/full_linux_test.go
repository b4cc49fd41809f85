package consumer

import (
	"bytes"
	"crypto/sha256"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"weft/internal/ledger"
	"weft/internal/waittest"
	"weft/taskspec"
)

// room is how much fits into a file while the "disk" of these tests is full: a
// limit of the process on the size of its files, which it can lift again.
const room = 100_000

func limitFiles(pid int, bytes uint64) error {
	return unix.Prlimit(pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: bytes, Max: unix.RLIM_INFINITY}, nil)
}

// inOwnProcess runs the test in a process of its own, because its limit is one
// of the process. It reports whether this is that process.
func inOwnProcess(t *testing.T) bool {
	const variable = "WEFT_RUNNER_TEST_ALONE"
	if os.Getenv(variable) != "" {
		return true
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), variable+"=1", "GORACE=atexit_sleep_ms=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	return false
}

// A stream on a full disk waits for room, and loses nothing.
func TestFullDisk(t *testing.T) {
	if !inOwnProcess(t) {
		return
	}
	if err := limitFiles(0, room); err != nil {
		t.Fatal(err)
	}
	o, _ := stream(t)
	all := text(300_000)
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		_, _ = io.Copy(o, bytes.NewReader(all))
	}()
	o.waitUntilFull(t)
	if err := limitFiles(0, unix.RLIM_INFINITY); err != nil {
		t.Fatal(err)
	}
	waittest.Await(t, "wait for the stream", drained)
	o.close()
	if err := o.keep(); err != nil {
		t.Fatal(err)
	}
	o.wantFile(t, all)
	if sum := sha256.Sum256(all); !bytes.Equal(sum[:], o.digest.Sum(nil)) {
		t.Error("the digest is wrong")
	}
}

// waitUntilFull waits until the file has taken all that it can. That is all
// there is to see of a stream that waits.
func (o *output) waitUntilFull(t testing.TB) {
	waittest.Until(t, "what the test waits for", func() bool { return full(o.path) })
}

func full(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Size() == room
}

// A stream on a full disk is given up when somebody ends the task: what fits is
// kept, and said to be incomplete.
func TestFullDiskIsAbandoned(t *testing.T) {
	if !inOwnProcess(t) {
		return
	}
	if err := limitFiles(0, room); err != nil {
		t.Fatal(err)
	}
	o, _ := stream(t)
	abandon := make(chan struct{})
	o.abandon = abandon
	all := text(300_000)
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		_, _ = io.Copy(o, bytes.NewReader(all))
	}()
	o.waitUntilFull(t)
	close(abandon)
	waittest.Await(t, "wait for the stream", drained)
	o.close()
	errs, _ := stream(t)
	errs.close()
	h := &ledger.HandOff{Outcome: taskspec.Exited(1, "")}
	result(h, o, errs, 1<<20, 1<<20, false)
	if h.Output.Form != ledger.FormFile || h.Output.Size != 300_000 || !strings.Contains(h.Outcome.Error, "command exited with 1; output is incomplete: ") {
		t.Errorf("%+v, %q", h.Output, h.Outcome.Error)
	}
	o.wantFile(t, all[:room])
	if sum := sha256.Sum256(all[:room]); !bytes.Equal(sum[:], o.digest.Sum(nil)) {
		t.Error("the digest is wrong")
	}
}

// TestFullDiskOfATask fills the disk of a consumer under its task.
func TestFullDiskOfATask(t *testing.T) {
	t.Parallel()
	lift := func(d *fakeManager) {
		if err := limitFiles(d.self.PID, unix.RLIM_INFINITY); err != nil {
			d.Fatal(err)
		}
	}
	kill := func(d *fakeManager) { d.send(Order{End: RequestKill}) }
	for name, test := range map[string]struct {
		timeout  bool
		then     []func(*fakeManager) // before and after the end of the task's process
		complete bool
		want     string // the error begins so
	}{
		"room again": {false, []func(*fakeManager){lift, nil}, true, ""},
		// A kill does not wait for room, nor does a timeout, to end the process.
		"killed":                    {false, []func(*fakeManager){kill, nil}, false, "killed; output is incomplete: "},
		"timeout, then room again":  {true, []func(*fakeManager){nil, lift}, true, "timed out after "},
		"timeout, then no patience": {true, []func(*fakeManager){nil, kill}, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newFakeManager(t)
			up := newFIFO(t)
			if err := limitFiles(d.self.PID, room); err != nil {
				t.Fatal(err)
			}
			var pid, path string
			waittest.InTime(t, time.Second, func(timeout time.Duration) bool {
				a := d.shell(`echo $$ >$1; head -c 300000 /dev/zero | tr '\0' x`, up.Path)
				a.Work.StopGrace = new(time.Duration)
				if test.timeout {
					a.Work.Timeout = timeout
				}
				d.send(Order{Task: a}, permit())
				path = ledger.OutputFile(d.dir, a.TID, 1, ledger.Stdout)
				var over *ledger.HandOff
				if pid, over = d.begun(up); over == nil {
					over = d.unless(func() bool { return full(path) })
				}
				if over != nil {
					d.send(Order{Ack: 1})
				}
				return over == nil
			})
			for _, then := range test.then {
				if then != nil {
					then(d)
				}
				waittest.Until(t, "what the test waits for", func() bool { return gone(pid) }) // nobody tells a stranger
			}
			h := d.finished()
			if !strings.HasPrefix(h.Outcome.Error, test.want) || strings.Contains(h.Outcome.Error, "output is incomplete: ") == test.complete {
				t.Errorf("outcome is %+v, want %q…", h.Outcome, test.want)
			}
			d.send(Order{Ack: 1})
			switch {
			case !test.complete:
				if got := readFile(t, path); h.Output.Form != ledger.FormFile || got != strings.Repeat("x", room) {
					t.Errorf("%s holds %d bytes", h.Output.Form, len(got))
				}
			// A task that was not left to its end wrote what the pipe took.
			case len(h.Result) <= room || !test.timeout && len(h.Result) != 300_000 || strings.Trim(string(h.Result), "x") != "":
				t.Errorf("result has %d bytes", len(h.Result))
			}
		})
	}
}
