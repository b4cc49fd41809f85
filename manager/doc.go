// Package manager dispatches tasks to consumers. A project has one manager at a time: the
// process that holds a lock.
//
// A manager is the executor (loop.go) of an engine (internal/engine), which waits for
// events: a notification of the request queue, a report of a consumer, the death of one, a
// control message, a timer. In each cycle it assigns waiting requests to free consumers
// (dispatch.go), writes all pending changes in one transaction (changes.go: the ends that
// consumers reported, lost tasks, new dispatches), and then notifies the consumers. So many
// tasks share one commit. Pure functions (decide.go) decide how many consumers to start, and when they and the
// manager exit.
//
// Consumers are processes of the same program (pool.go). They are kept for further tasks;
// each command gets a new process anyway. When a manager exits, by order or by SIGKILL, its
// consumers notice the end of the connection and finish their tasks without a manager; the
// next manager counts them (survivor.go) but never takes them over.
//
// items.go finds items for the persistent tasks that wait for one: the result of an item
// and the reservation of the next are one change of a cycle.
//
// service.go starts the services of the project's manifests when they are due;
// internal/ledger decides which are. In a project that its user does not trust it starts
// none, and dispatches nothing that waited there before.
//
// delays.go promotes delayed tasks that are due, program.go finds the programs of
// functions, pipeline.go watches the control queues of pipelines, and server.go watches the
// programs that run functions inside themselves.
//
// lock_linux.go is the leadership lock, start_linux.go how a client starts a detached
// manager, leadership.go its record in the store. stopped.go and conn_linux.go kill
// consumers that are stopped or unresponsive.
package manager
