//go:build !linux

package sqlite

import "os"

// allocate reserves n bytes for f.
func allocate(f *os.File, n int64) error {
	_, err := f.Write(make([]byte, n))
	return err
}

// checkFilesystem cannot tell file systems apart here.
func checkFilesystem(string) error { return nil }

// safeLocks has nothing to switch: open file description locks are Linux's.
// The rule never to open the store's files by other means remains.
func safeLocks() error { return nil }

// othersWait cannot tell here.
func othersWait(string) bool { return false }

// takeTicket gives no order here.
func takeTicket(string) *ticket { return unordered() }
