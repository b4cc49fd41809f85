package proc

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

func TestEnviron(t *testing.T) {
	t.Parallel()
	const entry = "WEFT_PROC_TEST=a=b c"
	for name, env := range map[string][]string{
		"some": {"PATH=" + os.Getenv("PATH"), entry},
		"none": {},
		"long": {entry, "LONG=" + strings.Repeat("x", 1<<16)},
	} {
		cmd := exec.Command("/bin/sh", "-c", "echo; cat; :")
		cmd.Env = env
		c, _ := start(t, cmd)
		want := strings.Join(append(env, ""), "\x00")
		if got, err := Environ(c.Process.Pid); err != nil || string(got) != want {
			t.Errorf("%s: %.100q, %v", name, got, err)
		}
		id := identify(t, c.Process.Pid)
		if err := id.Signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if err := id.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := Environ(id.PID); !errors.Is(err, ErrGone) {
			t.Errorf("%s: zombie: %v, want ErrGone", name, err)
		}
		c.end()
		if _, err := Environ(id.PID); !errors.Is(err, ErrGone) {
			t.Errorf("%s: reaped: %v, want ErrGone", name, err)
		}
	}
}

// Somewhere in an exec the environment cannot be seen. That must not be taken
// for an environment without entries.
func TestEnvironDuringExec(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("sh", "-c", `echo; exec sh -c "$LOOP"`)
	cmd.Env = append(os.Environ(), `LOOP=exec sh -c "$LOOP"`)
	c, _ := start(t, cmd)
	exec := 0
	for range 5000 {
		got, err := Environ(c.Process.Pid)
		switch {
		case errors.Is(err, ErrChanging):
			exec++
		case err != nil:
			t.Fatal(err)
		case !strings.Contains(string(got), "LOOP="):
			t.Fatalf("environment %q", got)
		}
	}
	t.Logf("in exec %d times of 5000", exec)
}
