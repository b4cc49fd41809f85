package monitortest

import (
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// variable holds the use of a process that is to take one.
const variable = "WEFT_MONITORTEST_USE"

// A Use is what a process takes, and holds until it is killed. The zero value
// takes nothing and waits all the same.
type Use struct {
	Megabytes, FDs, Connections int
	CPU                         time.Duration
}

// Entry is the environment entry that makes a test binary take it.
func (u Use) Entry() string {
	return fmt.Sprintf("%s=%d %d %d %d", variable, u.Megabytes, u.FDs, u.Connections, u.CPU)
}

// Main is for the beginning of TestMain. It returns false at once, unless the
// environment says that this process is to use something: then it takes that,
// prints "ready", and waits to be killed. It returns true, having printed an
// error, where something cannot be had.
func Main() bool {
	text := os.Getenv(variable)
	if text == "" {
		return false
	}
	var u Use
	_, err := fmt.Sscan(text, &u.Megabytes, &u.FDs, &u.Connections, &u.CPU)
	if err == nil {
		err = take(u)
	}
	if err == nil {
		fmt.Println("ready")
		err = unix.Pause()
	}
	fmt.Println(err)
	return true
}

func take(u Use) error {
	if u.Megabytes > 0 {
		// Not the runtime's memory, which the race detector would double.
		_, err := unix.Mmap(-1, 0, u.Megabytes<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_POPULATE)
		if err != nil {
			return err
		}
	}
	if u.Connections > 0 {
		listener, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			return err
		}
		for range u.Connections {
			if _, err := net.Dial("tcp4", listener.Addr().String()); err != nil {
				return err
			}
			if _, err := listener.Accept(); err != nil {
				return err
			}
		}
	}
	for range u.FDs {
		_, err := unix.Open(os.DevNull, unix.O_RDONLY, 0)
		if err == unix.EMFILE {
			break // it has all that it may have
		}
		if err != nil {
			return err
		}
	}
	for used := time.Duration(0); used < u.CPU; {
		var r unix.Rusage
		if err := unix.Getrusage(unix.RUSAGE_SELF, &r); err != nil {
			return err
		}
		used = time.Duration(r.Utime.Nano() + r.Stime.Nano())
	}
	return nil
}
