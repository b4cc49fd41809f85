package main

import (
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// A program is a command that is run again and again.
type program struct {
	path  string
	args  []string
	dir   string
	env   []string // nil: this process's own
	stdin string   // empty: /dev/null
}

// spend runs the program to its end and returns the milliseconds that took. A
// program that fails is an error.
func (p program) spend() (float64, error) {
	cmd := exec.Command(p.path, p.args...)
	cmd.Dir, cmd.Env = p.dir, p.env
	if p.stdin != "" {
		cmd.Stdin = strings.NewReader(p.stdin)
	}
	begin := time.Now()
	err := cmd.Run()
	if err != nil {
		return 0, p.failed(err)
	}
	return milliseconds(time.Since(begin)), nil
}

// says runs the program and returns an error unless it prints want.
func (p program) says(want string) error {
	out, err := p.prints()
	if err != nil {
		return err
	}
	if out != want {
		return p.failed(fmt.Errorf("printed %q, want %q", out, want))
	}
	return nil
}

// prints runs the program and returns what it prints.
func (p program) prints() (string, error) {
	cmd := exec.Command(p.path, p.args...)
	cmd.Dir, cmd.Env = p.dir, p.env
	out, err := output(cmd)
	if err != nil {
		return "", p.failed(err)
	}
	return out, nil
}

func (p program) failed(err error) error {
	return fmt.Errorf("%s %s: %w", p.path, strings.Join(p.args, " "), err)
}
