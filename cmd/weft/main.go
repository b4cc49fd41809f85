// Weft runs commands as durable tasks, from a shell.
//
// It is a grammar over package weft and holds no logic of its own: what a
// command does, a Go program can do with the same call. cli.go is the grammar,
// and every group of commands has a file named for it.
package main

import (
	"os"

	"weft"
)

func main() {
	weft.Init()
	// The project is not closed: whoever is the last to close it tidies up its
	// store, and a person waits for this process. The manager does that.
	os.Exit(execute(os.Args[1:]))
}
