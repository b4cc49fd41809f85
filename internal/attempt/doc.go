// Package attempt runs a command, or supervises a process that is already started, until it
// and everything that it has started are gone.
//
// ending.go decides how an attempt ends, find.go looks up its program, start_linux.go starts
// it, supervise_linux.go waits for its end and ends it where it has to, limit_linux.go
// watches its limits, and pipes_linux.go reads its output.
package attempt
