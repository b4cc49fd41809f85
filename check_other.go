//go:build !linux && !darwin

package weft

// freeDisk does not know how many bytes may still be written below dir.
func freeDisk(string) (int64, bool) { return 0, false }
