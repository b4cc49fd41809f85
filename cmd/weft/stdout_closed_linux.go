package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// canDeliver refuses what takes something in order to print it, where standard
// output was closed when the program began. Then it has become /dev/null, opened by
// the runtime of Go for reading and writing; so has standard input, or error, where
// somebody who wants no output has done that himself, for all of them.
func (a *app) canDeliver() error {
	if !replaced(a.stdout.file) || replaced(a.stdin) || replaced(a.stderr) {
		return nil
	}
	return errClosed
}

// replaced reports whether f is /dev/null as the runtime opens it. What languages
// open for programs that they start is mostly for writing only, or closed on exec.
func replaced(f *os.File) bool {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFCHR || st.Rdev != unix.Mkdev(1, 3) {
		return false
	}
	flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
	return err == nil && flags&unix.O_ACCMODE == unix.O_RDWR && flags&unix.O_CLOEXEC == 0
}
