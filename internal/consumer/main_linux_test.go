package consumer

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"weft/internal/role"
	"weft/monitor/monitortest"
)

// testBuild is the build of the consumers that this test binary becomes.
const testBuild = "test"

// TestMain lets the test binary be a consumer and a worker, as Init does for a
// program, and a task that uses much.
func TestMain(m *testing.M) {
	if monitortest.Main() {
		return
	}
	var err error
	switch r, conn := role.Take(); r {
	case role.Consumer:
		err = Main(conn, testBuild, os.Environ())
	case role.Function:
		err = ServeCall(conn, role.Extra(), functionsOfTests())
	case role.Exec:
		err = Become(conn)
	default:
		goleak.VerifyTestMain(m)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
