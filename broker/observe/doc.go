// Package observe is what programs do with queues beside taking the next
// message: look on, sample, choose, copy, step through, and serve several
// queues at once.
//
//   - [Observe] shows messages and takes none; a [Filter] thins them out.
//   - [Consume] takes the messages that a filter accepts and leaves the others.
//   - A [Monitor] copies what comes into one queue to another, each message
//     once, also when it is killed and started again.
//   - A [Debugger] steps through a queue by hand.
//   - A [Watcher] hands the messages of several queues to one function, those
//     of a control queue first.
//
// All of them sleep until a writer rings and, in case a ring was lost, look by
// themselves after 1 s, growing to 5 s. None starts a goroutine of its own.
//
// # Messages under old ids
//
// Who looks on remembers the last id it saw. A message that is moved, released
// or restored into a queue keeps its id and may so come to lie behind an
// observer or a monitor, which do not see it then. [Consume] and the taking
// modes of a [Watcher] find it.
package observe
