//go:build !linux

package sqlite

// Filesystem cannot tell file systems apart here.
func Filesystem(string) (name string, err error) { return "unknown", nil }

// SafeLocks reports whether the locks of a store survive that somebody else in
// this process opens and closes its file: not on this system.
func SafeLocks() bool { return false }
