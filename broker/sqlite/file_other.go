//go:build !linux

package sqlite

import "os"

// allocate allocates n bytes for f.
func allocate(f *os.File, n int64) error {
	_, err := f.Write(make([]byte, n))
	return err
}

// checkFilesystem accepts every file system.
func checkFilesystem(string) error { return nil }

// safeLocks does nothing: open file description locks need Linux. The rule never to open
// the store's files by other means remains.
func safeLocks() error { return nil }

// othersWait returns false.
func othersWait(string) bool { return false }

// takeTicket gives no order.
func takeTicket(string) *ticket { return unordered() }
