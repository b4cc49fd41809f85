// Weft runs commands as durable tasks, from a shell.
//
// It is a grammar over package weft and holds no logic of its own: what a
// command does, a Go program can do with the same call. cli.go is the grammar,
// and every group of commands has a file named for it.
package main

import (
	"os"

	"weft"
	"weft/internal/inherit"
)

func main() {
	weft.Init()
	inherit.Note() // tasks are submitted with the umask and the limits of this process
	growStack()
	// The project is not closed: the last process to close it tidies up its
	// store, and a person waits for this process. The manager does that.
	os.Exit(execute(os.Args[1:]))
}

// growStack makes room on the stack for the calls of SQLite's parser. To grow
// below them, step by step, means to correct all their frames each time: 0.3 ms
// of the 5 that a short command takes.
//
//go:noinline
func growStack() byte {
	var room [32 << 10]byte
	return room[len(os.Args)%len(room)]
}
