// Package tty is how a client and the consumer of a task that has a terminal
// talk to each other: over a private socket in the project's folder, in
// frames. What a person types goes this way and no other, so it is in no
// queue, no record and no log.
//
//	client              consumer
//	Hello →             the size of my window, and from where I want the output
//	  ← Output          what the task printed before, and prints from now on
//	Input →             bytes, as they were typed
//	Resize →            my window has another size
//	  ← End             the task has ended, and this was all of it
//
// A client that goes away leaves the task alone. The socket is there as long as
// the task's own process; a consumer that is killed leaves a dead file, which
// the next one clears away.
//
// frame.go is the format, socket_linux.go finds the other end, mode.go and
// query.go know as much of the language of terminals as it takes to show to a
// client what it has not seen from the beginning.
package tty
