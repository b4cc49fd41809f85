// Hello runs one command as a durable task and prints what it printed.
package main

import (
	"fmt"
	"log"
	"os"

	"weft"
)

func main() {
	weft.Init() // first: managers and consumers are this program, executed again
	p, err := weft.Open(".")
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	res, err := p.Run(weft.Command("echo", "hello", "world"))
	if err != nil {
		log.Fatal(err)
	}
	os.Stdout.Write(res.Output)
	fmt.Fprintf(os.Stderr, "task %s took %v\n", res.TID, res.Completed.Sub(res.Started))
}
