package title

import (
	"os"
	"strings"
	"unsafe"
)

// Set makes text the title of this process: its argv[0], as far as there is
// room, and its name (comm), of which the kernel keeps 15 bytes. text should
// come from [Format]. Set does nothing in a process whose argv[0] was not
// padded, and nothing is worth failing for if the name cannot be written.
// Calls must not overlap.
func Set(text string) {
	if len(os.Args) == 0 {
		return
	}
	name := os.Args[0]
	room := len(name) - tailLen
	if room < 0 || strings.Trim(name[room:], " \x00") != "" {
		return
	}
	// The runtime makes os.Args[0] a string over the very memory that the kernel
	// shows as argv[0], so writing through it sets the title. Strings are not
	// meant to change, but this one is not in the Go heap and no copy of its
	// content is kept; who reads os.Args[0] later reads the title. What follows
	// it, the other arguments and the environment, is out of reach of the slice.
	argv := unsafe.Slice(unsafe.StringData(name), len(name))
	clear(argv[copy(argv[:room], text):])

	// Unlike prctl, which names the calling thread, this names the main thread,
	// and that is the name of the process.
	if comm, err := os.OpenFile("/proc/self/comm", os.O_WRONLY, 0); err == nil {
		_, _ = comm.WriteString(text)
		_ = comm.Close()
	}
}
