// Versions has one function, which returns the version that this program was built as. With
// a second argument it serves the project until its standard input ends, else it only opens it.
package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"weft"
)

var version string // set by the linker

func main() {
	weft.Register("version", func(context.Context, struct{}) (string, error) {
		return version + " " + os.Getenv("SETTING"), nil
	})
	weft.Init()
	if err := run(os.Args[1], len(os.Args) > 2); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(dir string, serve bool) error {
	p, err := weft.Open(dir)
	if err != nil || !serve {
		return err
	}
	defer p.Close()
	stop := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(stop)
	}()
	return p.Serve(context.Background(), weft.ServeOptions{Stop: stop, Ready: func() { fmt.Println("ready") }})
}
