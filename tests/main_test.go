// The tests of the whole: real programs, processes and stores, killed, stopped and
// damaged. Each uses package weft as a program of a user does; its examples are beside it.
package weft_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"weft"
	"weft/internal/role"
)

// partVariable makes this program, when a test executes it again, play a part
// in the test instead of running tests: see play.
const partVariable = "WEFT_TEST_PART"

// hesitateVariable makes managers or consumers of this program wait before they
// begin, so that a test can kill them: its value is role:tell:proceed. They write
// their pid to the pipe tell and wait for a line from the pipe proceed.
const hesitateVariable = "WEFT_TEST_HESITATE"

func TestMain(m *testing.M) {
	hesitate(os.Getenv(hesitateVariable))
	if os.Getenv(programVariable) != "" {
		registerFunctions()
	}
	weft.Init()
	if part := os.Getenv(partVariable); part != "" {
		os.Exit(play(part, os.Args[1:]))
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(ownState()))
}

// ownState gives the tests a folder of their own for what weft remembers of
// projects, and returns how to end them. A test that is executed again by another
// one, and perhaps killed, has the folder of that one.
func ownState() func(exitCode int) {
	const name = "weft-state-"
	if strings.HasPrefix(filepath.Base(os.Getenv("XDG_STATE_HOME")), name) {
		return os.Exit
	}
	dir, err := os.MkdirTemp("", name)
	if err == nil {
		err = os.Setenv("XDG_STATE_HOME", dir)
	}
	if err != nil {
		panic(err)
	}
	return func(exitCode int) {
		_ = os.RemoveAll(dir)
		os.Exit(exitCode)
	}
}

// hesitate does what the value of hesitateVariable says. Nothing in it waits for
// a test that has ended.
func hesitate(value string) {
	part, pipes, _ := strings.Cut(value, ":")
	tell, proceed, _ := strings.Cut(pipes, ":")
	if part == "" || !slices.Contains(os.Environ(), role.Entry(role.Role(part))) {
		return
	}
	f, err := os.OpenFile(tell, os.O_WRONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return
	}
	_, err = fmt.Fprintln(f, os.Getpid())
	f.Close()
	if err != nil {
		return
	}
	if f, err = os.OpenFile(proceed, os.O_RDONLY|syscall.O_NONBLOCK, 0); err == nil {
		_, _ = f.Read(make([]byte, 1))
		f.Close()
	}
}
