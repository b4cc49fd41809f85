//go:build !linux

package title

// Set does nothing: a title can be set on Linux only.
func Set(string) {}
