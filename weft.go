// Package weft runs commands as durable tasks: what is accepted is never lost,
// what is reported really happened, and nothing of a task is left behind.
//
// A project is a folder with a .weft inside; everything about it is kept
// there, in one SQLite file. Open it, run a command:
//
//	func main() {
//		weft.Init()
//		p, err := weft.Open(".")
//		if err != nil {
//			log.Fatal(err)
//		}
//		defer p.Close()
//		res, err := p.Run(weft.Command("echo", "hello"))
//		if err != nil {
//			log.Fatal(err)
//		}
//		os.Stdout.Write(res.Output)
//	}
//
// # What happens
//
// [Context.Submit] writes the task to the store and returns as soon as that is
// durable. A manager, one process for each project, gives it to a consumer, a
// process of its own, which runs it, watches it and reports its end; then the
// result waits in the store until somebody takes it ([Task.Result]). Any of
// these processes may be killed at any moment: the task goes on or is truthfully
// reported as lost.
//
// The manager is started when it is needed, and leaves when there has been no
// work for a while. A service can be the manager itself: see [Context.Serve].
//
// # Init
//
// Manager and consumers are the program itself, executed again. [Init] is
// where such a process finds out what it is, so it must be the first thing in
// main, but for [Register]. A program that does not call it re-executes nothing;
// it needs the weft command on its PATH, or gets [ErrNoInit].
//
// # Functions
//
// A task may be a Go function of a program: [Register] makes it known, [Function]
// is the spec of a task that calls it.
//
// # Queues
//
// Tasks are submitted as messages and answered with messages, and the same
// queues are there for your own: [Context.Queue].
//
// # Limits
//
// Tasks run as the user who submits them. Time limits and the like are there
// against accidents; they are not a sandbox.
package weft

import "weft/taskspec"

// Command returns the spec of a task that runs a program: its name, looked up
// in the PATH of the submitter, or a path, and its arguments. The spec may be
// changed before it is submitted.
func Command(name string, args ...string) *taskspec.Spec {
	s := &taskspec.Spec{
		Name: taskName(name),
		Spec: taskspec.Work{Type: taskspec.KindCommand, ProcessTarget: name},
	}
	for _, arg := range args {
		s.Spec.Args = append(s.Spec.Args, arg)
	}
	return s
}
