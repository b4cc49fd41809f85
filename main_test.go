package weft_test

import (
	"log"
	"os"
	"testing"

	"go.uber.org/goleak"

	"weft"
)

// TestMain runs the examples. The other tests of the package are in the folder tests.
func TestMain(m *testing.M) {
	weft.Init()
	state, err := os.MkdirTemp("", "weft-state-")
	if err == nil {
		err = os.Setenv("XDG_STATE_HOME", state)
	}
	if err != nil {
		log.Fatal(err)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(exitCode int) {
		_ = os.RemoveAll(state)
		os.Exit(exitCode)
	}))
}
