package sqlite

import "runtime"

// goroutineID identifies the calling goroutine. Go offers it only as text at
// the head of a stack trace ("goroutine 18 [running]: …"); it serves here to
// turn a certain deadlock into an error, and is asked for only while somebody's
// function runs.
func goroutineID() (id uint64) {
	const prefix = len("goroutine ")
	var buf [40]byte
	n := runtime.Stack(buf[:], false)
	for i := prefix; i < n && buf[i] >= '0' && buf[i] <= '9'; i++ {
		id = id*10 + uint64(buf[i]-'0')
	}
	return id
}
