// Package manager gives tasks to consumers. A project has one manager at a
// time, proved by a lock that the process holds for life.
//
// A manager is one loop (loop.go) that waits for events: the bell of the
// request queue, a report of a consumer, the death of one, a control message,
// a timer. In each turn (turn.go) it gives waiting requests to free consumers
// (dispatch.go), writes everything that has gathered in one transaction (work.go:
// the ends that consumers reported, the losses, the new dispatches), and then
// tells the consumers. So durability costs one commit for many tasks. How many
// consumers to start, and when they and the manager leave, is decided by pure
// functions (decide.go).
//
// Consumers are processes of the same program (pool.go). They stay warm: a
// command is a fresh process anyway. When a manager goes, by order or by
// SIGKILL, its consumers notice the end of the connection and finish their
// tasks alone; the next manager counts them (survivor.go) but never takes
// them over.
//
// items.go hears of items for the persistent tasks that wait for one: what became of
// an item and the reservation of the next are one change of a turn.
//
// service.go starts the services that the project's manifests name, when they are
// due; whether they are, internal/ledger decides. Of a project that its user does
// not trust it starts none, and gives out nothing that waited there before.
//
// pending.go moves tasks whose time has come, host.go finds the programs of
// functions, pipeline.go listens for pipelines, and server.go watches the programs
// that run functions inside themselves.
//
// lock_linux.go is the leadership, start_linux.go how a client starts a
// detached manager, tenure.go what stands in the store about it.
package manager
