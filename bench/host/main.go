// Host is a program with functions that do nothing, for the benchmarks of
// functions. With an argument, the folder of a project, it lets that know them;
// without one it tells when Init has returned.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"golang.org/x/sys/unix"

	"weft"
)

func main() {
	weft.Register("host.nothing", func(context.Context, struct{}) (struct{}, error) { return struct{}{}, nil })
	weft.Register("host.entry", func(context.Context, struct{}) (int64, error) { return clock(), nil })
	weft.Init()
	if len(os.Args) < 2 {
		fmt.Print(clock())
		return
	}
	p, err := weft.Open(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	if err := p.Close(); err != nil {
		log.Fatal(err)
	}
}

// clock is the time of day in nanoseconds: the one clock that is in the record of
// a task as well.
func clock() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_REALTIME, &t); err != nil {
		log.Fatal(err)
	}
	return t.Nano()
}
