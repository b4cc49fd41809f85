package sqlite

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

// roleVariable makes this test binary play one of the roles instead of
// running tests, so that tests can have other processes.
const roleVariable = "WEFT_SQLITE_TEST_ROLE"

func TestMain(m *testing.M) {
	name := os.Getenv(roleVariable)
	if name == "" {
		goleak.VerifyTestMain(m)
		return
	}
	role := roles[name]
	if role == nil {
		role = systemRoles[name]
	}
	if err := role(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}

// A child is this test binary in a role.
type child struct {
	t      *testing.T
	role   string
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Scanner
	stderr strings.Builder
}

// start starts a child.
func start(t *testing.T, role string, args ...string) *child {
	t.Helper()
	c := newChild(t, role, args...)
	must(t, c.cmd.Start())
	return c
}

// newChild prepares a child.
func newChild(t *testing.T, role string, args ...string) *child {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// The context is cancelled before the test's folder is removed.
	c := &child{t: t, role: role, cmd: exec.CommandContext(t.Context(), exe, args...)}
	c.cmd.Env = append(os.Environ(), roleVariable+"="+role)
	c.cmd.Stderr = &c.stderr
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	c.out = bufio.NewScanner(out)
	return c
}

// line reads the next line that the child prints; false at the end.
func (c *child) line() (string, bool) {
	ok := c.out.Scan()
	return c.out.Text(), ok
}

// expect fails the test unless the child prints want next.
func (c *child) expect(want string) {
	c.t.Helper()
	if got, ok := c.line(); !ok || got != want {
		c.t.Fatalf("%s printed %q, want %q; it ended with %v", c.role, got, want, c.end())
	}
}

// tell lets a child go on that waits in pause.
func (c *child) tell() {
	c.t.Helper()
	if _, err := io.WriteString(c.in, "\n"); err != nil {
		c.t.Fatalf("tell %s: %v, it ended with %v", c.role, err, c.end())
	}
}

// lines reads all that the child prints until it ends.
func (c *child) lines() (all []string) {
	for line, ok := c.line(); ok; line, ok = c.line() {
		all = append(all, line)
	}
	return all
}

// end waits for the child's end, and says what it complained about.
func (c *child) end() error {
	for c.out.Scan() { // it may have more to say before it can end
	}
	if err := c.cmd.Wait(); err != nil {
		return fmt.Errorf("%s: %w\n%s", c.role, err, c.stderr.String())
	}
	return nil
}

// finish fails the test unless the child ends well.
func (c *child) finish() {
	c.t.Helper()
	if err := c.end(); err != nil {
		c.t.Fatal(err)
	}
}

// say prints a line for the parent in one write.
func say(args ...any) {
	if _, err := os.Stdout.WriteString(fmt.Sprintln(args...)); err != nil {
		os.Exit(1) // nobody listens any more
	}
}

// pause waits until the parent tells to go on.
func pause() error {
	if _, err := os.Stdin.Read(make([]byte, 1)); err != nil {
		return errors.New("the parent is gone")
	}
	return nil
}

// must ends the test if err is an error.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
