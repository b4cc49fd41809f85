package taskspec

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// command returns the smallest valid command.
func command() *Spec {
	return &Spec{Name: "greet", Work: Work{Type: KindCommand, ProcessTarget: "echo"}}
}

// function returns the smallest valid function task.
func function() *Spec {
	return &Spec{Name: "resize", Work: Work{Type: KindFunction, FunctionTarget: "images.resize"}}
}

const (
	testTID  = "1763740800000000000"
	otherTID = "1763740800000004096"
)
