//go:build !linux

package sqlite

// Filesystem returns "unknown": file systems are not distinguished on this system.
func Filesystem(string) (name string, err error) { return "unknown", nil }

// SafeLocks reports whether the locks of a store survive when other code in this process
// opens and closes its file: not on this system.
func SafeLocks() bool { return false }
