//go:build !linux

package main

import "testing"

// awaitProcesses has nothing to wait for: tasks run on Linux only.
func awaitProcesses(testing.TB, string) {}
