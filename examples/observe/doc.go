// Package observe is for what programs do with queues besides taking the next message:
// observe, sample, select, copy, step through, and serve several queues at once. It uses
// nothing but the public API of package broker: copy what you need of it.
//
//   - [Observe] shows messages and takes none; a [Filter] selects among them.
//   - [Consume] takes the messages that a filter accepts and leaves the others.
//   - A [Monitor] copies the messages of one queue to another, each exactly once, even if it is killed and started again.
//   - A [Debugger] steps through a queue by hand.
//   - A [Watcher] passes the messages of several queues to one function, those of a control queue first.
//
// All of them sleep until a writer notifies them and, in case a notification was lost, poll
// after 1 s, growing to 5 s. None starts a goroutine of its own.
//
// # Messages under old ids
//
// An observer remembers the last id it has seen. A message that is moved, released or
// restored into a queue keeps its id, which may be smaller; an observer or a monitor does
// not see it then. [Consume] and the taking modes of a [Watcher] find it.
package observe
