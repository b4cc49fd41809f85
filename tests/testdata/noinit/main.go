// Noinit uses Weft without calling weft.Init. With a second argument it only submits.
package main

import (
	"fmt"
	"os"

	"weft"
)

func main() {
	if err := run(os.Args[1], len(os.Args) > 2); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(dir string, submit bool) error {
	p, err := weft.Open(dir, weft.Options{NoManager: submit})
	if err != nil {
		return err
	}
	defer p.Close()
	spec := weft.Command("echo", "hello")
	if submit {
		t, err := p.Submit(spec)
		if err == nil {
			fmt.Print(t.TID())
		}
		return err
	}
	res, err := p.Run(spec)
	if err == nil {
		_, err = os.Stdout.Write(res.Output)
	}
	return err
}
