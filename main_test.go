package weft_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"weft"
)

// partVariable makes this program, when a test executes it again, play a part
// in the test instead of running tests: see play.
const partVariable = "WEFT_TEST_PART"

func TestMain(m *testing.M) {
	weft.Init()
	if part := os.Getenv(partVariable); part != "" {
		os.Exit(play(part, os.Args[1:]))
	}
	goleak.VerifyTestMain(m)
}
