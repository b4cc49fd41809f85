// Noinit uses Weft without calling weft.Init.
package main

import (
	"fmt"
	"os"

	"weft"
)

func main() {
	p, err := weft.Open(os.Args[1])
	if err == nil {
		var res *weft.Result
		if res, err = p.Run(weft.Command("echo", "hello")); err == nil {
			os.Stdout.Write(res.Output)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
