//go:build !linux

package sqlite

import "runtime"

// marked returns an id for the calling goroutine, valid until unmarked.
func marked() uint64 { return goroutine() }

func unmarked() {}

// goroutine identifies the calling goroutine. Go offers that only as text at the start of a
// stack trace ("goroutine 18 [running]: …").
func goroutine() (id uint64) {
	const prefix = len("goroutine ")
	var buf [40]byte
	n := runtime.Stack(buf[:], false)
	for i := prefix; i < n && buf[i] >= '0' && buf[i] <= '9'; i++ {
		id = id*10 + uint64(buf[i]-'0')
	}
	return id
}
