// Package runner is the consumer: the process in which a task runs.
//
// A manager starts it by re-executing the program and gives it one end of a
// socket pair, the [Link]. Over it go, one JSON value a line, the manager's
// [Order]s and the consumer's [Report]s:
//
//	manager            consumer
//	  ← Hello            who I am, which build
//	  Task →             get ready
//	  Go →               your reservation is committed: begin
//	  ← Started          for a task that is not over at once
//	  ← Used             now and then, where reports are wanted
//	  ← Chunks           of the output, where it is to be streamed
//	  Took →             they are committed: the next ones, please
//	  Next →             work on this item of a persistent task, or wait
//	  ← Item             what became of it; the next Next answers
//	  Stop, Kill →       as the user asks
//	  ← Finished         the hand-off
//	  Ack →              it is committed: you are free
//
// While the link is open the manager is the only one to write to the store, but
// for the inbox of an interactive task, which its consumer reads by itself.
// When it ends, and only then, a consumer with a task goes on alone: it opens
// the store, makes sure that its reservation was committed, listens to the
// task's control queue, and records the end by the same transaction that the
// manager would have used. A consumer without a task leaves at once.
//
// The next Task may come before the Ack of the last.
//
// A persistent task stays with its consumer until it is told to end:
// duty_linux.go is the loop over its items, which come from the manager or, without
// one, from the store.
//
// consumer_linux.go is the life of the process, task_linux.go the life of one
// task in it, session_linux.go what reaches that task from outside,
// alone_linux.go what the consumer does without a manager; ending.go decides
// how a task comes to its end, limit_linux.go watches over its limits, output.go
// keeps what it prints and chunk.go hands that on, command.go finds its program
// and command_linux.go starts it. terminal_linux.go is the terminal of a task,
// with whose clients it talks by itself (package tty), and line_linux.go feeds an
// interactive one from its inbox.
//
// # Functions
//
// A function runs in a worker: its host program, executed again, which the
// consumer supervises as it does a command. So what ends the process, be it
// os.Exit, a crash or a limit, ends nobody who would have to tell of it. Over a
// socket pair go the call and the answer, over a pipe the value, which is what
// standard output is to a command; whatever the function prints is its standard
// error. After the answer the worker ends, and with it all that the function has
// left running. Then the consumer starts the next worker of that host, which
// waits for a call: any other task ends it first.
//
// worker.go is what the two say to each other, worker_perform.go the life of a
// worker, worker_linux.go how a consumer starts one, keeps it and calls it,
// worker_progress.go how often a function's progress is passed on.
//
// A function with isolation "inline" needs no process: a program that serves the
// project claims its task and calls it on a goroutine. inline_linux.go is the
// loop of such a server, inline_turn_linux.go what it writes at a time,
// inline_slots_linux.go how many calls there may be, and inline_call_linux.go the
// life of one. A call that the same program submits is begun by the transaction
// that submits it: inline_guest_linux.go brings it to the loop, which writes it
// together with what else there is, and inline_visit_linux.go has who submitted it
// wait for its end, and take its result with that.
package runner
