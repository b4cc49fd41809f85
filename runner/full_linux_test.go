package runner

import (
	"bytes"
	"crypto/sha256"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"weft/internal/ledger"
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
		o.drain(bytes.NewReader(all))
	}()
	o.waitUntilFull(t)
	if o.idle() {
		t.Error("idle while it waits for room")
	}
	if err := limitFiles(0, unix.RLIM_INFINITY); err != nil {
		t.Fatal(err)
	}
	await(t, "wait for the stream", drained)
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
	poll(t, func() bool { info, err := os.Stat(o.path); return err == nil && info.Size() == room })
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
		o.drain(bytes.NewReader(all))
	}()
	o.waitUntilFull(t)
	close(abandon)
	await(t, "wait for the stream", drained)
	o.close()
	errs, _ := stream(t)
	errs.close()
	h := &ledger.HandOff{Outcome: taskspec.Exited(1, "")}
	result(h, o, errs, 1<<20, 1<<20)
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
	const script = `echo $$ >$1; head -c 300000 /dev/zero | tr '\0' x; echo $? >$1; exec sleep 60`
	begin := func(t *testing.T) (d *desk, a *Assignment, pid string) {
		d = newDesk(t)
		up := newGate(t)
		a = d.shell(script, up.path)
		if err := limitFiles(d.self.PID, room); err != nil {
			t.Fatal(err)
		}
		d.send(Order{Task: a}, permit())
		pid = up.hear(t)
		(&output{path: ledger.OutputFile(d.dir, a.TID, 1, ledger.Stdout)}).waitUntilFull(t)
		return d, a, pid
	}
	t.Run("room again", func(t *testing.T) {
		t.Parallel()
		d, _, _ := begin(t)
		if err := limitFiles(d.self.PID, unix.RLIM_INFINITY); err != nil {
			t.Fatal(err)
		}
		d.send(Order{End: RequestKill})
		h := d.finished()
		if n := len(h.Result); h.Outcome.Error != "killed" || n <= room || strings.Trim(string(h.Result), "x") != "" {
			t.Errorf("%+v, %d bytes", h.Outcome, n)
		}
		d.send(Order{Ack: 1})
	})
	t.Run("killed, then room again", func(t *testing.T) {
		t.Parallel()
		d, _, pid := begin(t)
		d.send(Order{End: RequestKill})
		poll(t, func() bool { return gone(pid) }) // the disk does not hold the end up
		if err := limitFiles(d.self.PID, unix.RLIM_INFINITY); err != nil {
			t.Fatal(err)
		}
		if h := d.finished(); h.Outcome.Error != "killed" || len(h.Result) <= room {
			t.Errorf("%+v, %d bytes", h.Outcome, len(h.Result))
		}
		d.send(Order{Ack: 1})
	})
	t.Run("killed twice", func(t *testing.T) {
		t.Parallel()
		d, a, pid := begin(t)
		d.send(Order{End: RequestKill})
		poll(t, func() bool { return gone(pid) })
		d.send(Order{End: RequestKill}) // now what does not fit is given up
		h := d.finished()
		if !strings.HasPrefix(h.Outcome.Error, "killed; output is incomplete: ") || h.Output.Form != ledger.FormFile {
			t.Errorf("%+v, %+v", h.Outcome, h.Output)
		}
		d.send(Order{Ack: 1})
		if got := readFile(t, ledger.OutputFile(d.dir, a.TID, 1, ledger.Stdout)); got != strings.Repeat("x", room) {
			t.Errorf("%d bytes are kept", len(got))
		}
	})
}
