package consumer

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weft/internal/ledger"
	"weft/internal/proc"
	"weft/internal/waittest"
	"weft/taskspec"
)

// TestTasks runs commands that end in every way they can end by themselves.
func TestTasks(t *testing.T) {
	t.Parallel()
	d := newFakeManager(t)
	write := func(name string, mode os.FileMode, content string) string {
		path := filepath.Join(d.root, name)
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("plain", 0o644, "#!/bin/sh\n")
	write("orphan", 0o755, "#!/no/such/interpreter\n")
	write("script", 0o755, "#!/bin/sh\necho $1\n")
	write(".weft/outputs/spooled.in", 0o600, "from\x00a file\n")
	if err := os.Mkdir(filepath.Join(d.root, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	many := make([]string, 100_000)
	for i := range many {
		many[i] = strconv.Itoa(i)
	}
	edit := func(a *ledger.Assignment, edit func(*ledger.Assignment)) *ledger.Assignment {
		edit(a)
		return a
	}
	for _, test := range []struct {
		name   string
		a      *ledger.Assignment
		want   taskspec.Outcome
		stdout string
		stderr string
	}{
		{"exit 0", d.task("echo", "hello"), taskspec.Exited(0, ""), "hello\n", ""},
		{"exit N", d.shell("echo out; echo no such thing >&2; exit 3"), taskspec.Exited(3, "no such thing"), "out\n", "no such thing\n"},
		{"signal", d.shell("echo out; kill -SEGV $$"), taskspec.Signaled(11, "SIGSEGV"), "out\n", ""},
		{"not found", d.task("no-such-command"), taskspec.NotStarted(true, "no-such-command: command not found"), "", ""},
		{"no such path", d.task("./no-such"), taskspec.NotStarted(true, "./no-such: command not found"), "", ""},
		{"a path", d.task("./script", "x"), taskspec.Exited(0, ""), "x\n", ""},
		{"not executable", d.task("./plain"), taskspec.NotStarted(false, "./plain: permission denied"), "", ""},
		{"no interpreter", d.task("./orphan"), taskspec.NotStarted(false, "./orphan: its interpreter does not exist"), "", ""},
		{"a folder", d.task("./sub"), taskspec.NotStarted(false, "./sub: is a directory"), "", ""},
		{"no such folder", edit(d.task("true"), func(a *ledger.Assignment) { a.Dir = d.root + "/none" }),
			taskspec.NotStarted(false, fmt.Sprintf("working directory %q: no such directory", d.root+"/none")), "", ""},
		{"directory", edit(d.task("pwd"), func(a *ledger.Assignment) { a.Dir = d.root + "/sub" }), taskspec.Exited(0, ""), d.root + "/sub\n", ""},
		{"arguments", d.task("printf", "[%s]", "a b", "", "*", "$HOME", "ü"), taskspec.Exited(0, ""), "[a b][][*][$HOME][ü]", ""},
		{"100,000 arguments", d.shell("echo $# ${100000}", many...), taskspec.Exited(0, ""), "100000 99999\n", ""},
		{"no input", d.shell("cat; readlink /proc/self/fd/0"), taskspec.Exited(0, ""), "/dev/null\n", ""},
		{"input", edit(d.task("cat"), func(a *ledger.Assignment) { a.Stdin = "a\x00b\nc" }), taskspec.Exited(0, ""), "a\x00b\nc", ""},
		{"large input", edit(d.task("cat"), func(a *ledger.Assignment) { a.Stdin = strings.Repeat("line\n", 1<<18) }), taskspec.Exited(0, ""), strings.Repeat("line\n", 1<<18), ""},
		{"input from a file", edit(d.task("cat"), func(a *ledger.Assignment) { a.Input = "spooled" }), taskspec.Exited(0, ""), "from\x00a file\n", ""},
		{"input that is gone", edit(d.task("cat"), func(a *ledger.Assignment) { a.Input = "gone" }),
			taskspec.NotStarted(false, "cat: standard input: open "+d.dir+"/outputs/gone.in: no such file or directory"), "", ""},
		{"too many arguments", d.task("true", strings.Repeat("x", 1<<20)), taskspec.NotStarted(false, "true: argument list too long"), "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			d.T = t
			h := d.run(test.a)
			if diff := cmp.Diff(test.want, h.Outcome); diff != "" {
				t.Errorf("outcome (-want +got):\n%s", diff)
			}
			want := ledger.Output{Form: ledger.FormText, Size: int64(len(test.stdout)), Stderr: []byte(test.stderr), StderrSize: int64(len(test.stderr))}
			if string(h.Result) != test.stdout || h.Output.Form != want.Form || h.Output.Size != want.Size ||
				string(h.Output.Stderr) != test.stderr || h.Output.StderrSize != want.StderrSize {
				t.Errorf("output is %+v with %d bytes: %.200q; want %q, %q", h.Output, len(h.Result), h.Result, test.stdout, test.stderr)
			}
			started := *h.Outcome.ReturnCode != 126 && *h.Outcome.ReturnCode != 127
			if (h.Process.PID > 0) != started || (h.Usage.PeakMemoryMB > 0) != started || h.Ended.IsZero() {
				t.Errorf("process %+v, usage %+v, ended %v", h.Process, h.Usage, h.Ended)
			}
		})
	}
	d.T = t
	// The last task has been acknowledged when the next one reports.
	d.run(d.task("true"))
	d.run(d.task("true"))
	if left := d.outputs(); left != nil {
		t.Errorf("files are left: %q", left)
	}
}

// A task finds its own ids in its environment, nothing of the consumer's role,
// no descriptor but the standard ones, and is the leader of a process group in
// the consumer's session.
func TestSurroundings(t *testing.T) {
	t.Parallel()
	d := newFakeManager(t)
	a := d.shell(`env | grep -E '^(WEFT_|OWN|OVER|PATH=)' | sort
		for n in 3 4 5 6 7 8 9 10 11 12; do [ ! -e /proc/$$/fd/$n ] || echo fd $n; done
		[ "$(cut -d' ' -f5 /proc/$$/stat)" = $$ ] && echo leads a group
		cut -d' ' -f6 /proc/$$/stat`)
	a.Work.Env = map[string]string{"OVER": "a=b", "OWN": "2"}
	want := fmt.Sprintf("OVER=a=b\nOWN=2\nPATH=%s\nWEFT_CONTEXT=%s\nWEFT_EPOCH=1\nWEFT_MESSAGE_ID=42\nWEFT_TID=%s\nleads a group\n%d\n",
		os.Getenv("PATH"), d.root, a.TID, d.self.PID)
	if diff := cmp.Diff(want, string(d.run(a).Result)); diff != "" {
		t.Errorf("surroundings (-want +got):\n%s", diff)
	}
}

// An environment is sent once; without a key the consumer's own is meant.
func TestEnvironment(t *testing.T) {
	t.Parallel()
	d := newFakeManager(t)
	path := "PATH=" + os.Getenv("PATH")
	for i, test := range []struct{ key, block, want string }{
		{"", "", "OWN=1"},
		{"k1", path + "\x00A=\xff1", "A=\xff1"},
		{"k1", "", "A=\xff1"},
		{"k2", path + "\x00A=2", "A=2"},
		{"", "", "OWN=1"},
		{"k1", path + "\x00A=\xff1", "A=\xff1"},
	} {
		a := d.shell("env | grep -aE '^(OWN|A)='")
		if a.Env = test.key; test.block != "" {
			a.EnvBlock = []byte(test.block)
		}
		if got := string(d.run(a).Result); got != test.want+"\n" {
			t.Errorf("task %d has %q, want %q", i, got, test.want)
		}
	}
}

// Nothing runs before its reservation is committed, and nothing that was
// withdrawn.
func TestPermission(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		orders func(d *fakeManager, mark func(string) *ledger.Assignment) []Order
		want   []string // the marks
	}{
		"withdrawn": {func(d *fakeManager, mark func(string) *ledger.Assignment) []Order {
			return []Order{{Task: mark("a")}, {Revoke: true}}
		}, nil},
		"withdrawn, then another": {func(d *fakeManager, mark func(string) *ledger.Assignment) []Order {
			return []Order{{Task: mark("a")}, {Revoke: true}, {Task: mark("b")}, permit()}
		}, []string{"b"}},
		// In the turn that records the end of a task its manager assigns the
		// next one, and acknowledges after that.
		"assigned before the acknowledgement": {func(d *fakeManager, mark func(string) *ledger.Assignment) []Order {
			return []Order{{Task: mark("a")}, permit(), {}, {Task: mark("b")}, {Ack: 1}, permit()}
		}, []string{"a", "b"}},
		"withdrawn before the acknowledgement": {func(d *fakeManager, mark func(string) *ledger.Assignment) []Order {
			return []Order{{Task: mark("a")}, permit(), {}, {Task: mark("b")}, {Revoke: true}, {Ack: 1}}
		}, []string{"a"}},
		"replaced before the acknowledgement": {func(d *fakeManager, mark func(string) *ledger.Assignment) []Order {
			return []Order{{Task: mark("a")}, permit(), {}, {Task: mark("b")}, {Revoke: true}, {Task: mark("c")}, {Ack: 1}, permit()}
		}, []string{"a", "c"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newFakeManager(t)
			marks := t.TempDir()
			orders := test.orders(d, func(name string) *ledger.Assignment { return d.task("touch", filepath.Join(marks, name)) })
			waiting := 0
			for _, o := range orders {
				if o == (Order{}) { // here the manager waits for the hand-off
					d.finished()
					waiting--
					continue
				}
				if d.send(o); o.Start != nil {
					waiting++
				}
			}
			if waiting > 0 {
				d.finished()
				d.send(Order{Ack: 1})
			}
			d.run(d.task("true")) // whatever was to run before has run by now
			var got []string
			entries, err := os.ReadDir(marks)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				got = append(got, e.Name())
			}
			if !slices.Equal(test.want, got) {
				t.Errorf("ran %q, want %q", got, test.want)
			}
		})
	}
}

// A task that is not over at once tells its own pid, and its output can be
// followed while it runs.
func TestLongTask(t *testing.T) {
	t.Parallel()
	d := newFakeManager(t)
	g := newFIFO(t)
	a := d.shell("echo $$; read line <$1; echo end", g.Path)
	d.send(Order{Task: a}, permit())
	r := d.report()
	if r.Started == nil {
		t.Fatalf("consumer says %+v", r)
	}
	if got, err := proc.Of(r.Started.PID); err != nil || got != *r.Started {
		t.Errorf("started %+v, found %+v, %v", *r.Started, got, err)
	}
	path := ledger.OutputFile(d.dir, a.TID, 1, ledger.Stdout)
	// The file is there from the first output on, but the pid may be told before
	// that; a folder gives no event that this test could wait for without the
	// bells that it leaves out.
	waittest.Until(t, "what the test waits for", func() bool { b, err := os.ReadFile(path); return err == nil && strings.HasSuffix(string(b), "\n") })
	if got := readFile(t, path); got != fmt.Sprintln(r.Started.PID) {
		t.Errorf("followers read %q", got)
	}
	g.Open(1)
	h := d.finished()
	if want := fmt.Sprintf("%d\nend\n", r.Started.PID); string(h.Result) != want || h.Process.PID != r.Started.PID {
		t.Errorf("result is %q of process %d, want %q", h.Result, h.Process.PID, want)
	}
	// The file stays until the result is safe.
	if got := readFile(t, path); got != string(h.Result) {
		t.Errorf("before the acknowledgement followers read %q", got)
	}
	d.send(Order{Ack: 1})
	d.run(d.task("true"))
	if left := d.outputs(); left != nil {
		t.Errorf("files are left: %q", left)
	}
}

func readFile(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// The forms of a result, and what becomes of the files.
func TestOutputForms(t *testing.T) {
	t.Parallel()
	const mb = 1 << 20
	zeros := func(n int) string { return fmt.Sprintf("head -c %d /dev/zero", n) }
	text := func(n int) string { return zeros(n) + " | tr '\\0' x" }
	for name, test := range map[string]struct {
		script string
		limit  int64
		form   ledger.Form
		stdout string
		stderr int
	}{
		"binary":           {`printf '\377\376\000'`, mb, ledger.FormBytes, "\xff\xfe\x00", 0},
		"large and inline": {text(300_000), mb, ledger.FormText, strings.Repeat("x", 300_000), 0},
		"huge":             {text(5 * mb), 4 * mb, ledger.FormFile, strings.Repeat("x", 5*mb), 0},
		"huge and binary":  {`printf '\377'; ` + zeros(3*mb), mb, ledger.FormFile, "\xff" + strings.Repeat("\x00", 3*mb), 0},
		"nothing inline":   {"echo hello", 0, ledger.FormFile, "hello\n", 0},
		"long stderr":      {text(100_000) + " >&2", mb, ledger.FormText, "", 100_000},
		"both":             {text(2*mb) + "; " + text(200_000) + " >&2", mb, ledger.FormFile, strings.Repeat("x", 2*mb), 200_000},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newFakeManager(t)
			a := d.shell(test.script)
			a.Work.OutputSizeLimitMB = new(float64(test.limit) / mb)
			h := d.run(a)
			if h.Outcome.Status != taskspec.StatusCompleted || h.Output.Form != test.form || h.Output.Size != int64(len(test.stdout)) ||
				h.Output.StderrSize != int64(test.stderr) || len(h.Output.Stderr) != min(test.stderr, 64<<10) {
				t.Errorf("%+v, output %s of %d bytes, stderr %d of %d", h.Outcome, h.Output.Form, h.Output.Size, len(h.Output.Stderr), h.Output.StderrSize)
			}
			d.run(d.task("true")) // the files of the first are settled
			var files []string
			if test.stderr > 0 {
				files = append(files, a.TID+".1.err")
			}
			if test.form == ledger.FormFile {
				files = append(files, a.TID+".1.out")
				sum := sha256.Sum256([]byte(test.stdout))
				kept := readFile(t, ledger.OutputFile(d.dir, a.TID, 1, ledger.Stdout))
				if kept != test.stdout || h.Output.Digest != hex.EncodeToString(sum[:]) || h.Result != nil {
					t.Errorf("the file holds %d bytes, digest %s, result of %d bytes", len(kept), h.Output.Digest, len(h.Result))
				}
			} else if !bytes.Equal(h.Result, []byte(test.stdout)) || h.Output.Digest != "" || h.Preview != "" {
				t.Errorf("result has %d bytes, digest %q, preview %q", len(h.Result), h.Output.Digest, h.Preview)
			}
			if diff := cmp.Diff(files, d.outputs()); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
			for _, name := range files {
				info, err := os.Stat(filepath.Join(d.dir, "outputs", name))
				if err != nil || info.Mode() != 0o600 {
					t.Errorf("%s: %v, %v", name, info.Mode(), err)
				}
			}
		})
	}
}

// The process listing shows what a consumer does.
func TestTitle(t *testing.T) {
	t.Parallel()
	d := newFakeManager(t)
	shown := func() string {
		name, _, _ := strings.Cut(readFile(t, fmt.Sprintf("/proc/%d/cmdline", d.self.PID)), "\x00")
		return strings.TrimSpace(name)
	}
	if got := shown(); got != "weft-consumer" {
		t.Errorf("before its first task it is called %q", got)
	}
	up, on := newFIFO(t), newFIFO(t)
	a := d.shell("echo up >$1; read line <$2", up.Path, on.Path)
	d.send(Order{Task: a}, permit())
	up.Read()
	if got, want := shown(), "weft-"+filepath.Base(d.root)+"-"+a.TID[9:]+":greet:running"; got != want {
		t.Errorf("during its task it is called %q, want %q", got, want)
	}
	on.Open(1)
	d.finished()
	d.send(Order{Ack: 1})
	// Nothing tells when the title has changed back.
	waittest.Until(t, "what the test waits for", func() bool { return strings.HasSuffix(shown(), ":consumer:idle") })

	quiet := d.shell("cat /proc/$PPID/cmdline")
	quiet.Work.EnableProcessTitle = new(false)
	if got := string(d.run(quiet).Result); !strings.Contains(got, ":consumer:idle") {
		t.Errorf("during a task without a title it is called %q", got)
	}
}

// A consumer whose manager says what is no order leaves, as if the manager had gone.
func TestGarbageOrders(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"garbage\n", `{"task":5}` + "\n", `{"task":`, "\x00\xff\n"} {
		d := newFakeManager(t)
		if _, err := d.link.rw.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if text == `{"task":` {
			d.link.Close()
		}
		waittest.Await(t, "the end of the consumer after "+text, d.exited)
	}
}

// The input of a task never follows a link out of the project.
func TestInputIsNoLink(t *testing.T) {
	t.Parallel()
	d := newFakeManager(t)
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(secret, filepath.Join(d.dir, "outputs", "x.in")); err != nil {
		t.Fatal(err)
	}
	a := d.task("cat")
	a.Input = "x"
	if h := d.run(a); *h.Outcome.ReturnCode != 126 || !strings.Contains(h.Outcome.Error, "standard input") || len(h.Result) > 0 {
		t.Errorf("%+v: %q", h.Outcome, h.Result)
	}
}
