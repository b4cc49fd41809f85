// Package ledger keeps the state of tasks: one record for each task, one event for each
// change, and the transactions that change them.
//
// The life of a task consists of five transactions, one file each:
//
//	submit.go    the client      request + record "created" + environment
//	dispatch.go  the manager     request → reserved message, record "running"
//	finish.go    the consumer    result + policy on the reserved message + record terminal
//	lost.go      the manager     the end that a dead consumer can no longer report
//	end.go       any process     stop or kill of a task that was not dispatched
//
// taskkind.go is the table of what differs between the kinds of tasks.
//
// A request that can run is a message in the queue of those that are served alike: one for
// tasks that need a slot, one for those that need none, and one for each function that a
// program runs inside itself. A request that cannot run yet, because it is delayed or waits
// for an item of a queue, is in index.go's index, which says in which lane it waits and its
// order there. attempt.go decides, in the transactions that end a task, whether another
// attempt follows.
//
// A task may take its work item from a queue of the user's (input.go). One whose result goes
// to such a queue leaves a copy for its waiters (resultcopy.go).
//
// A service is a task that the manager starts. service.go decides when, in the transaction
// that submits it, so that there is one instance. quarantine.go finds which requests of a
// foreign store must not run.
//
// server.go is the record of a program that runs functions inside itself, by which the
// manager notices its death.
//
// A pipeline is a task without a consumer, whose stages are tasks of their own: the
// transaction that ends a stage submits the next one (pipeline.go).
//
// A persistent task takes item after item between its dispatch and its end: items.go
// records the result of one and reserves the next, in one transaction, and itemresult.go is
// the format of the results in its outbox.
//
// chunk.go writes the output of a task that streams it into its outbox.
//
// Every function here runs inside a transaction of the broker that its caller has begun, so
// that a manager can commit many of them at once, and a consumer without a manager runs the
// same code.
//
// The record is the present: no command replays events to find the current state. The
// events in weft.log.tasks are history for people.
package ledger
