package weft_test

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"weft"
	"weft/internal/role"
)

// partVariable makes this program, when a test executes it again, play a part
// in the test instead of running tests: see play.
const partVariable = "WEFT_TEST_PART"

// hesitateVariable makes managers or consumers of this program wait before they
// begin, so that a test can kill them: its value is role:tell:gate. They write
// their pid to the pipe tell and wait for a line from the pipe gate.
const hesitateVariable = "WEFT_TEST_HESITATE"

func TestMain(m *testing.M) {
	hesitate(os.Getenv(hesitateVariable))
	weft.Init()
	if part := os.Getenv(partVariable); part != "" {
		os.Exit(play(part, os.Args[1:]))
	}
	goleak.VerifyTestMain(m)
}

func hesitate(value string) {
	part, pipes, _ := strings.Cut(value, ":")
	tell, gate, _ := strings.Cut(pipes, ":")
	if part == "" || !slices.Contains(os.Environ(), role.Entry(role.Role(part))) {
		return
	}
	if err := os.WriteFile(tell, []byte(strconv.Itoa(os.Getpid())+"\n"), 0); err != nil {
		panic(err)
	}
	if f, err := os.Open(gate); err == nil {
		_, _ = f.Read(make([]byte, 1)) // nothing comes if the test has ended
		f.Close()
	}
}
