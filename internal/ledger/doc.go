// Package ledger keeps the truth about tasks: one record for each task, one
// event for each change, and the transactions that change them.
//
// A task's life is five transactions, one file each:
//
//	submit.go    the client      request + record "created" + environment
//	dispatch.go  the manager     request → reserved message, record "running"
//	finish.go    the consumer    result + reserved message settled + record terminal
//	lose.go      the manager     the end that a dead consumer can no longer report
//	end.go       anybody         stop or kill of a task that was not dispatched
//
// A task that is to wait, because of its delay or before its next attempt, has
// its request in another queue until pending.go moves it; attempt.go decides in
// the transactions that end a task whether another attempt follows.
//
// A task that takes its work item from a queue of the user's waits aside until
// there is one (input.go), and one that hands its result to such a queue leaves a
// copy for those who wait for the task (shown.go).
//
// A service is a task that is started by itself. service.go decides when, in the
// transaction that submits it, so that there is one instance; held.go says what of
// a store that came from elsewhere must not run.
//
// A function that a program runs inside itself waits in a queue of its name;
// server.go is the record of such a program, by which the manager learns of its
// death.
//
// A pipeline is a task without a consumer, whose stages are tasks of their own: the
// transaction that ends a stage asks for the next one (pipeline.go).
//
// A persistent task takes item after item between its dispatch and its end:
// items.go records what became of one and reserves the next, in one transaction,
// and itemresult.go is what readers of its outbox get.
//
// In between, chunk.go puts what the task prints into its outbox, if it is to
// stream its output.
//
// Every function here runs inside a transaction of the broker that its caller
// began, so that a manager can commit many of them at once, and so that a
// consumer that has lost its manager runs the very same code by itself.
//
// The record is the present: no command replays events to learn how things
// stand. The events in weft.log.tasks are history for people.
package ledger
