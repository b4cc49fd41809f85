// Package disk tells how much room there is.
package disk

// A Space is what a file system has for files.
type Space struct {
	Free  int64 // bytes that an ordinary user may still write
	Total int64 // bytes
}
