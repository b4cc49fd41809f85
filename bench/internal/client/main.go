// Client stands in for cmd/weft until that builds.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/alecthomas/kong"

	"weft"
)

type grammar struct {
	Init    struct{} `cmd:""`
	Version struct{} `cmd:""`
	Run     struct {
		Command []string `arg:"" passthrough:""`
	} `cmd:""`
}

func main() {
	weft.Init()
	var g grammar
	k := kong.Parse(&g)
	if err := run(k.Command(), g.Run.Command); err != nil {
		fmt.Fprintln(os.Stderr, "weft:", err)
		os.Exit(1)
	}
}

func run(command string, argv []string) error {
	if command == "version" {
		fmt.Println("weft")
		return nil
	}
	p, err := weft.Open(".")
	if err != nil || command == "init" {
		return err
	}
	t, err := p.SubmitContext(context.Background(), weft.Command(argv[0], argv[1:]...))
	if err != nil {
		return err
	}
	s, err := t.Output(context.Background(), os.Stdout, os.Stderr)
	if err != nil {
		return err
	}
	if err := t.Take(context.Background()); err != nil {
		return err
	}
	if err := s.Err(); err != nil {
		return err
	}
	return nil
}
