// Package weft runs commands and Go functions as durable tasks: an accepted task
// is never lost, a reported result is what happened, and no process of a task is
// left behind.
//
// # The first task
//
// A project is a folder with a .weft inside. All that belongs to the project is kept
// there, in one SQLite file. Open the project and run a command:
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
// Further settings of a task, such as a timeout, are fields of the spec that
// [Command] returns: see [taskspec.Work].
//
// # What happens
//
// [Project.Submit] writes the task to the store and returns when that is durable. A
// manager, one process for each project, gives the task to a consumer, which is a
// process too. The consumer runs the task, watches it and reports its end. The result
// stays in the store until it is consumed ([Task.Result]) or thrown away
// ([Task.Discard]). If any of these processes is killed, at any time, the task goes on
// or is reported as lost.
//
// # Init
//
// The manager, the consumers and the processes of functions are the program itself,
// executed again. [Init] is where such a process learns its role, so Init must be
// the first call in main, after [Register]. A program that does not call Init cannot
// be executed again; it needs the weft command on its PATH, or gets [ErrNoInit].
//
// # Functions
//
// [Register] gives a Go function a name, and [Function] is the task that calls
// the function. The argument is any value that JSON can hold. The value that the
// function returns is the task's output, as JSON:
//
//	weft.Register("images.resize", resize) // func(context.Context, image) (string, error)
//	weft.Init()
//	…
//	res, err := p.Run(weft.Function("images.resize", image{Path: "cat.png", Width: 100}))
//
// A program that opens a project records there which functions it has
// ([Project.Functions]). Other programs then call them, even when the first one does not
// run: weft run --function images.resize --kw path=cat.png --kw width=100. A call whose
// arguments do not fit is refused before it is queued, with an [ArgumentError]. [TID],
// [Logger] and [Progress] are for use inside a function.
//
// # Isolation
//
// Each command and each call is a process in a process group of its own, and ends
// with all its descendants. A panic, an os.Exit or a leak in a function harms no other
// task. The context of a function ends when the task is stopped or its timeout passes.
// Tasks run as the user who submits them, in the directory of the submission. A
// command has the environment of the submission; a function has that of its manager,
// as if its program were started there. Both have the umask, niceness, CPUs and soft
// limits of the submission. With Isolation [taskspec.IsolationInline] a call is a
// goroutine of a program that serves the project: faster, and without this protection.
//
// # Pipelines
//
// A [Pipeline] is a sequence of stages, commands and functions, each of which gets the
// output of the stage before it. [Project.SubmitPipeline] returns the pipeline as one
// task, with one result and one end; [Task.Stages] shows its stages. The manager runs
// it, and [Task.Retry] resumes at the stage that did not complete. [Project.Pipelines]
// are the pipelines stored in the project, [Project.Specs] the stored specs.
//
// # Serving
//
// The manager is started when it is needed, and leaves after some time without work.
// With [Project.Serve] a service is the manager itself, in its own process, beside an
// HTTP server for example. It stands by while the project has another manager.
// [Project.Manager] finds, stops and replaces the current manager.
//
// # Services and trust
//
// A manifest in .weft/autostart names a stored spec that the manager starts without
// being asked, once or whenever the task has ended: see [taskspec.Manifest] and
// [Project.Services]. A project that the user did not create may have come from
// anywhere: nothing in it starts without being asked until the user calls
// [Project.Trust].
//
// # Submitting again
//
// A program that is killed does not know whether its submission was accepted. With a
// key ([taskspec.Work].Key) the program submits again, and there is one task, which runs
// once. [Project.Prepare] gives a spec such a key: [Prepared.Submit] may be repeated, and
// [Prepared.SubmitTx] submits inside a transaction of the caller, together with the
// caller's messages. [Project.SubmitMany] accepts all of many tasks or none.
// [Project.RunMany] runs any number of tasks as a batch, a limited number at a time, which
// goes on when the program dies. [taskspec.Concurrency] bounds how many tasks with the same
// key run at once.
//
// # Waiting and results
//
// [Task.Wait] returns how a task ended. [Task.Result] also consumes the result,
// [Task.Peek] leaves it in place, [Task.Discard] only removes it, and [Task.Output]
// follows the output as it is printed. [Project.Task] finds a task by its id, from any
// process, and [Project.Tasks] lists tasks. A [Batch] waits for many tasks at the cost of
// one. Large outputs are files: [LargeOutput]. A result stays until it is consumed, or its
// task is removed because it is old: see [Retention].
//
// # Persistent tasks
//
// A persistent task ([taskspec.Work].Persistent) waits for items and handles one after
// the other, each in a process of its own, until it is stopped. [Task.SendItem] sends an
// item, and [Task.Items] yields the results. An item that fails is handled as its policy
// says, and the task goes on. [Task.Retry] starts the task again with the items that were
// kept.
//
// # Control
//
// [Task.Stop] asks a task to end and kills it when its grace period is over; [Task.Kill]
// does not ask. [Task.Pause], [Task.Resume], [Task.Ping] and [Task.Retry] work from any
// process too. [Task.SendInput] writes to the standard input of a running task, and
// [Task.Attach] connects to its terminal. Cancelling a context ends a wait and leaves
// the task alone, except in [Project.RunContext] and [Project.RunMany], which stop what
// they run.
//
// # Queues
//
// Tasks are submitted as messages and answered with messages, and a program can use the
// same queues for messages of its own: [Project.Queue] reads, writes, watches and
// reserves. [Project.Broker] changes several queues, tasks and records in one
// transaction. An endpoint gives a queue of a running task a name: see
// [Project.Endpoints].
//
// # Limits
//
// [taskspec.Limits] bound the memory, CPU, descriptors and connections of all
// processes of a task; a task that exceeds one is ended. Limits and timeouts protect
// against accidents; they are not a sandbox.
//
// # Events
//
// Every change of a task is a message in the queue weft.log.tasks, in the same
// transaction as the change. [Task.Events] iterates over the events of one task, and
// waits for more if asked to.
//
// # Errors
//
// For a task that did not complete, [Project.Run] and [TaskStatus.Err] return a
// *[TaskError]: failed, timed out, stopped, killed or lost, and why. A spec that
// cannot be run is a *[taskspec.ValidationError], and nothing is queued. Other
// errors wrap a sentinel where a caller may want to branch, such as [ErrNoTask],
// [ErrNoFunction], [ErrKeyHeld] or [ErrResultConsumed].
package weft
