package manager

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"weft/internal/role"
	"weft/runner"
)

// build is the build of the consumers that this test binary becomes.
const build = "test"

// TestMain lets the test binary be what a manager starts, and what a client
// starts, so that these tests work with real processes.
func TestMain(m *testing.M) {
	switch r, conn := role.Take(); r {
	case role.Consumer:
		if err := runner.Main(conn, build, os.Environ()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}
