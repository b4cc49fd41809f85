//go:build !linux

package weft_test

// play is not needed where tasks do not run.
func play(string, []string) int { return 1 }

// Neither are functions.
const programVariable = "WEFT_TEST_HOST"

func registerFunctions() {}
