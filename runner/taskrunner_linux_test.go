package runner

import (
	"bytes"
	"context"
	"io"
	"os"
	"strings"
	"testing"

	"weft/internal/waittest"
	"weft/monitor"
	"weft/monitor/monitortest"
	"weft/taskspec"
)

// A firstLine calls found with the first line that is written to it.
type firstLine struct {
	bytes.Buffer
	found func()
}

func (w *firstLine) Write(p []byte) (int, error) {
	if w.found != nil && bytes.ContainsRune(p, '\n') {
		w.found()
		w.found = nil
	}
	return w.Buffer.Write(p)
}

// TestTaskRunner runs commands without a consumer, and leaves nothing of them.
func TestTaskRunner(t *testing.T) {
	t.Parallel()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	much := monitortest.Use{Megabytes: 300}
	for name, test := range map[string]struct {
		script string
		limits taskspec.Limits
		stop   bool // once it has printed a line
		stdin  io.Reader
		want   taskspec.Outcome
		stdout string
	}{
		"it succeeds":       {script: "echo a; echo b >&2", want: taskspec.Exited(0, ""), stdout: "a\n"},
		"it reads":          {script: "read x; echo $x", stdin: strings.NewReader("in\nmore\n"), want: taskspec.Exited(0, ""), stdout: "in\n"},
		"it fails":          {script: "echo why >&2; exit 2", want: taskspec.Exited(2, "why")},
		"it kills itself":   {script: "kill -9 $$", want: taskspec.Signaled(9, "SIGKILL")},
		"it leaves others":  {script: "setsid sleep 600 & sleep 600 & echo a", want: taskspec.Exited(0, ""), stdout: "a\n"},
		"it is stopped":     {script: "trap 'echo bye; exit' TERM; setsid sleep 600 & echo a; wait", stop: true, want: taskspec.Stopped(), stdout: "a\nbye\n"},
		"it takes too much": {script: `"$EXE" & wait`, limits: taskspec.Limits{MemoryMB: new(100.0)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mark := "WEFT_TEST_MARK=" + t.Name()
			ctx, cancel := context.WithCancel(waittest.Context(t))
			defer cancel()
			out := new(firstLine)
			if test.stop {
				out.found = cancel
			}
			res := TaskRunner{
				Args: []string{"sh", "-c", test.script}, Env: append(os.Environ(), mark, much.Entry(), "EXE="+exe),
				Stdin: test.stdin, Stdout: out, Grace: waittest.Limit(), Limits: test.limits,
			}.Run(ctx)
			if test.limits.MemoryMB != nil {
				if !strings.HasPrefix(res.Outcome.Error, "memory ") {
					t.Errorf("it ended as %+v", res.Outcome)
				}
			} else if res.Outcome.Event != test.want.Event || res.Outcome.Error != test.want.Error || out.String() != test.stdout {
				t.Errorf("it ended as %+v with %q", res.Outcome, out.String())
			}
			if left, err := (monitor.Tree{Cookie: []string{mark}}).Members(); err != nil || len(left) > 0 {
				t.Errorf("left: %v, %v", left, err)
			}
		})
	}
}

// TestTaskRunnerStartsNothing reports a command that cannot be started.
func TestTaskRunnerStartsNothing(t *testing.T) {
	t.Parallel()
	res := TaskRunner{Args: []string{"no-such-command"}}.Run(t.Context())
	if res.Outcome.Error != "no-such-command: command not found" || *res.Outcome.ReturnCode != 127 {
		t.Errorf("it ended as %+v", res.Outcome)
	}
}
