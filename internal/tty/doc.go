// Package tty is the protocol between a client and the consumer of a task that has a
// terminal: frames over a private socket in the project's folder. What a person types goes
// only over this socket, so it is in no queue, no record and no log.
//
//	client              consumer
//	Hello →             the size of the window, and the offset of the wanted output
//	  ← Output          what the task printed before, and prints from now on
//	Input →             bytes, as they were typed
//	Resize →            the window has another size
//	  ← End             the task has ended, and all output has been sent
//
// A client that disconnects does not affect the task. The socket exists as long as the
// task's own process; a consumer that is killed leaves a stale file, which the next one
// removes.
//
// frame.go is the format, socket.go connects the two ends, mode.go and query.go parse as
// much of a terminal's escape sequences as is needed to show output to a client that has
// not seen it from the start.
package tty
