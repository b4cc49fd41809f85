// Package monitor knows which processes belong to a task, ends them, and says
// when they use more than they may.
//
// A task's command starts other processes, and those may leave in every
// direction: into a new process group, a new session, or below another parent
// after their own has exited. A [Tree] therefore has several marks, and a
// process belongs if it bears any one of them or descends from a process that
// does:
//
//   - it descends from the consumer that runs the task. As the consumer is a
//     child subreaper ([Subreaper]), a process whose parent exits stays below
//     it;
//   - it is in the session or the process group that the task began with;
//   - its environment holds the cookie that the consumer put there. This is
//     what is left to find it by when the consumer has been killed.
//
// A process that has cleared its environment, left session and group, and lost
// its parents while no subreaper was above it bears no mark. Only a cgroup
// would hold it.
//
// A look is complete although processes come and go meanwhile: whoever starts
// during it is looked at too, and whoever is in the middle of an exec, when its
// environment cannot be seen, is looked at again. [Tree.Kill] stops every
// member on sight, so that it can start no more, and returns when a look finds
// nobody. A zombie is nobody: it runs nothing and only waits for its parent. A
// process that has adopted zombies removes them with [Reap].
//
// A [Watch] judges the samples that a [Sampler] takes of a tree by the limits of
// its task ([Decide]). A [Group] lets the kernel hold the memory of a tree, and
// [CapFDs] the descriptors of a process.
//
// Off Linux every function returns an error that wraps [errors.ErrUnsupported],
// and [Reap] finds nothing.
package monitor
