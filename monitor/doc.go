// Package monitor finds the processes of a task, ends them, and reports when they exceed
// the task's limits.
//
// A task's command starts other processes, and those may move in every direction: into a
// new process group, a new session, or below another parent after their own has exited. A
// [Tree] therefore has several marks, and a process is a member if it has any one of them
// or descends from a process that has one:
//
//   - it descends from the consumer that runs the task. As the consumer is a child subreaper ([Subreaper]), a process whose parent exits stays below it;
//   - it is in the session or the process group that the task started in;
//   - its environment holds the cookie that the consumer put there. That remains when the consumer has been killed.
//
// A process that has cleared its environment, left session and group, and lost its parents
// while no subreaper was above it has no mark. Only a cgroup would contain it.
//
// A scan is complete although processes start and end meanwhile: it includes those that
// start during it, and repeats those that are in an exec, whose environment cannot be read.
// [Tree.Kill] stops every member as soon as it is found, so that it can start no more, and
// returns when a scan finds none. Zombies do not count: they run nothing and only wait for
// their parent. A process that has adopted zombies removes them with [Reap].
//
// A [ResourceMonitor] samples a process with everything below it and judges that by limits
// ([Decide]). It reads /proc through github.com/prometheus/procfs, but for the children of a
// process, which that does not know; the search for a tree, which reads every process of the
// machine, has a smaller reader. A [Group] lets the kernel limit the memory of a tree, and
// [CapFDs] the descriptors of a process.
//
// On systems other than Linux every function returns an error that wraps
// [errors.ErrUnsupported], and [Reap] finds nothing.
package monitor
