// Package weft runs commands and Go functions as durable tasks: what is accepted
// is never lost, what is reported really happened, and nothing of a task is left
// behind.
//
// # The first task
//
// A project is a folder with a .weft inside; everything about it is kept there,
// in one SQLite file. Open it, run a command:
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
// What else a task may have, such as a timeout, is a field of the spec that
// [Command] returns: see [taskspec.Work].
//
// # What happens
//
// [Project.Submit] writes the task to the store and returns as soon as that is
// durable. A manager, one process for each project, gives it to a consumer, a
// process of its own, which runs it, watches it and reports its end; then the
// result waits in the store until somebody takes it ([Task.Result]). Any of
// these processes may be killed at any moment: the task goes on or is truthfully
// reported as lost.
//
// # Init
//
// Manager, consumers and the processes of functions are the program itself,
// executed again. [Init] is where such a process finds out what it is, so it must
// be the first thing in main, after [Register]. A program that does not call it
// re-executes nothing; it needs the weft command on its PATH, or gets
// [ErrNoInit].
//
// # Functions
//
// [Register] gives a Go function a name, and [Function] is the task that calls
// it. Its argument is any value that JSON can hold, and its value is the task's
// output, as JSON:
//
//	weft.Register("images.resize", resize) // func(context.Context, image) (string, error)
//	weft.Init()
//	…
//	res, err := p.Run(weft.Function("images.resize", image{Path: "cat.png", Width: 100}))
//
// A program that opens a project leaves there which functions it has. Others then
// call them too, also when it does not run: weft run --function images.resize
// --kw path=cat.png --kw width=100. A call that does not fit is refused before it
// is queued, with an [ArgumentError]. Inside a function there are [TID], [Logger]
// and [Progress].
//
// # Isolation
//
// A command and a call are a process each, in a process group of its own, which
// is ended with all its descendants. What a function does to its process, a
// panic, an os.Exit or a leak, hurts nobody else, and the context it gets ends
// when the task is stopped or out of time. Tasks run as the user who submits
// them, in the directory of the submission: a command with the environment of the
// submission too, a function with that of its manager, as if its program were
// started there. Both have the umask, niceness, CPUs and soft limits of the
// submission. With Isolation [taskspec.IsolationInline] a call is a goroutine
// of a program that serves the project: faster, and without all that.
//
// # Pipelines
//
// A [Pipeline] is stages that are run one after the other, commands and functions,
// each with what the one before it has written. [Project.SubmitPipeline] returns it as a
// task: the manager runs it, it has one result and one end, and [Task.Retry] goes on
// at the stage that did not complete. [Project.Pipelines] are those that are stored in the
// project.
//
// # Serving
//
// The manager is started when it is needed, and leaves when there has been no
// work for a while. A service can be the manager itself, in its own process:
// [Project.Serve], beside an HTTP server for example. It stands by while the
// project has another manager. [Project.Manager] finds, stops and replaces the one
// that there is.
//
// # Services and trust
//
// A manifest in .weft/autostart names a stored spec that the manager starts by
// itself, once or whenever it has ended: see [taskspec.Manifest] and [Project.Services]. A
// project that this user did not create may have come from anywhere: nothing in
// it runs by itself until he says [Project.Trust].
//
// # Submitting, for programs that go on
//
// A program that is killed does not know whether it has submitted. With a key
// ([taskspec.Work].Key) it submits again, and there is one task, which runs once.
// [Project.Prepare] does so for any spec: [Prepared.Submit] may be repeated, and
// [Prepared.SubmitTx] submits inside a transaction of the caller, together with
// its own messages. [Project.SubmitMany] accepts all of many tasks or none, and [Project.RunMany]
// runs any number of them, so many at a time.
//
// # Waiting and results
//
// [Task.Wait] says how a task ended, [Task.Result] takes its result as well,
// [Task.Peek] leaves it, and [Task.Output] follows what is printed.
// [Project.Task] finds a task again by its id, from any process, and
// [Project.Tasks] lists them. A [Batch] waits for many at the cost of one. Large
// outputs are files: [LargeOutput]. A result stays until it is taken;
// [System.Tidy] then forgets the task, when it is old.
//
// # Item after item
//
// A persistent task ([taskspec.Work].Persistent) waits for items and works on one
// after the other, each in a process of its own, until it is stopped: [Task.SendItem]
// sends one, [Task.Items] yields what became of them. One that fails follows its policy,
// and the task goes on. [Task.Retry] starts it again with what was kept.
//
// # Control
//
// [Task.Stop] asks a task to end and kills it when its grace is over; [Task.Kill]
// does not ask. [Task.Pause], [Task.Resume], [Task.Ping] and [Task.Retry] do what
// they say, from any process. Cancelling a context ends a wait and leaves the task
// alone, except in [Project.RunContext] and [Project.RunMany], which stop what they run.
//
// # Queues
//
// Tasks are submitted as messages and answered with messages, and the same
// queues are there for your own: [Project.Queue] reads, writes, watches and
// reserves. Several queues, tasks and records change in one transaction of
// [Project.Broker]. [Endpoints] give a queue of a running task a name.
//
// # Limits
//
// [taskspec.Limits] bound the memory, CPU, descriptors and connections of all
// processes of a task; whoever goes over one is ended. They and the timeout are
// there against accidents; they are not a sandbox.
//
// # Events
//
// Every change of a task is a message in the queue weft.log.tasks, in the same
// transaction as the change. [Task.Events] iterates over those of one task, and
// waits for more if it is asked to.
//
// # Errors
//
// A task that did not complete is a *[TaskError], by [Project.Run] or
// [TaskStatus.Err]: failed, timed out, stopped, killed or lost, and why. A spec that
// cannot be run is a *[taskspec.ValidationError], and nothing is queued. All else
// wraps a sentinel where a caller may want to branch, as [ErrNoTask],
// [ErrNoFunction], [ErrKeyHeld] or [ErrTaken].
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
