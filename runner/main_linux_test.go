package runner

import (
	"testing"

	"go.uber.org/goleak"

	"weft/monitor/monitortest"
)

// TestMain lets the test binary be a command that uses much.
func TestMain(m *testing.M) {
	if !monitortest.Main() {
		goleak.VerifyTestMain(m)
	}
}
