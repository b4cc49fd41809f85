// Package consumer is the process in which the tasks of a project run, one at a time, and its
// protocol with the manager.
//
// A manager starts it by re-executing the program and gives it one end of a socket pair,
// the [Link]. It carries, one JSON value a line, the manager's [Order]s and the consumer's
// [Report]s:
//
//	manager            consumer
//	  ← Hello            the consumer's process, protocol and build
//	  Task →             prepare this task
//	  Start →            its reservation is committed: start it
//	  ← Started          for a task that does not end at once
//	  ← Used             at intervals, if the assignment asks for it
//	  ← Chunks           of the output, if the task streams it
//	  ChunksRecorded →   they are committed: send the next ones
//	  Next →             work on this item of a persistent task, or wait
//	  ← Item             the result of an item; the following Next answers it
//	  End, Pause →       as the user asks
//	  ← Finished         the hand-off
//	  Ack →              it is committed: the consumer is free
//
// While the link is open only the manager writes to the store. The one exception is the
// inbox of an interactive task, which its consumer reads itself. When the link ends, and
// only then, a consumer with a task works without a manager: it opens the store, makes sure
// that its reservation was committed, reads the task's control queue, and records the end
// with the same transaction that the manager would have used. A consumer without a task
// exits at once.
//
// The next Task may arrive before the Ack of the last one.
//
// A persistent task stays with its consumer until it is told to end: persistent_linux.go is
// the loop over its items, which come from the manager or, without one, from the store.
//
// consumer_linux.go is the main loop of the process, task_linux.go runs one task as an attempt
// (package attempt) and keeps its output, control_linux.go passes orders to it,
// store_journal_linux.go replaces the manager when there is none. output.go keeps a stream
// and chunk.go sends it in chunks, command_linux.go prepares a command.
// terminal_linux.go is the terminal of a task and serves the clients that attach to it
// (package tty); stdin_linux.go feeds an interactive task from its inbox.
//
// # Functions
//
// A function runs in a worker: its program, executed again, which the consumer supervises
// like a command. So neither os.Exit, nor a crash, nor a limit ends the process that
// reports it. The call and the answer go over a socket pair, the value over a pipe, as a
// command's standard output does; whatever the function prints is its standard error. After
// the answer the worker exits, and everything that the function has left running ends with
// it. Then the consumer starts the next worker of that program, which waits for a call; a
// task that cannot use it stops it first.
//
// worker.go is the protocol between consumer and worker, worker_call.go the main loop of a
// worker, worker_linux.go how a consumer starts, keeps and calls one, worker_progress.go
// how often progress is reported.
//
// A function with isolation "inline" needs no process: a program that serves the project
// claims its task and calls it on a goroutine. inline_linux.go is the loop of such a
// server, inline_cycle_linux.go what it writes in one transaction, inline_slots_linux.go
// bounds the number of calls, and inline_call_linux.go runs one. A call that the same
// program submits is started by the transaction that submits it: inline_submit_linux.go
// passes it to the loop, which writes it together with all else, and with
// inline_local_linux.go the submitter waits for its end and takes its result.
package consumer
