package runner

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

// TestMain lets the test binary be a consumer, as Init does for a program, and
// a task that uses much.
func TestMain(m *testing.M) {
	if monitortest.Main() {
		return
	}
	if r, conn := role.Take(); r == role.Consumer {
		if err := Main(conn, testBuild, os.Environ()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}
