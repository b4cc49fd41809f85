package upkeep

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"weft/internal/notify"
	"weft/internal/proc"
	"weft/monitor"
)

// hostChecks look at what the system offers to tasks and to waiters.
var hostChecks = []check{
	{"wake-ups", examineWakeUps},
	{"cgroup", examineCgroup},
	{"task trees", examineTrees},
	{"limit memory_mb", func(_ context.Context, x *examination) ([]Finding, error) {
		if x.noGroup() == nil {
			return fine("cgroup")
		}
		return sampledLimit("", "")
	}},
	{"limit cpu_percent", func(context.Context, *examination) ([]Finding, error) { return sampledLimit("", "") }},
	{"limit max_fds", func(context.Context, *examination) ([]Finding, error) {
		return sampledLimit("rlimit for each process; ", " for the whole task")
	}},
	{"limit max_connections", func(context.Context, *examination) ([]Finding, error) { return sampledLimit("", ", advisory") }},
}

// fewDescriptors is how many files a process must be able to open: one that
// waits for many queues has a pipe for each, up to 256, and its store.
const fewDescriptors = 256

// examineWakeUps looks at how a process learns that a queue has changed.
func examineWakeUps(_ context.Context, x *examination) ([]Finding, error) {
	means, err := notify.Inspect(filepath.Join(x.Dir, "bells"))
	if err != nil {
		return problem(err.Error()+": who waits has to poll", "remove it")
	}
	// The soft limit is the hard one here: Go raises it in every program.
	var files unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err != nil {
		return nil, fmt.Errorf("read RLIMIT_NOFILE: %w", err)
	}
	inotify := "fs.inotify.max_user_instances " + watchers()
	if means != "pipes" {
		return note(means+"; "+inotify+": beyond it, who waits has to poll", "")
	}
	found := fmt.Sprintf("named pipes and epoll, at most %d open files (RLIMIT_NOFILE); inotify is not used, so %s does not matter",
		files.Cur, inotify)
	if files.Cur < fewDescriptors {
		return problem(found, fmt.Sprintf("raise the limit (ulimit -n %d): without descriptors, who waits has to poll", 4*fewDescriptors))
	}
	return fine(found)
}

// watchers is how many inotify instances a user may have, and whether all of
// them are in use.
func watchers() string {
	most, err := os.ReadFile("/proc/sys/fs/inotify/max_user_instances")
	if err != nil {
		return "(unknown)"
	}
	text := "= " + strings.TrimSpace(string(most))
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC)
	if errors.Is(err, unix.EMFILE) {
		return text + " (used up)"
	}
	if err == nil {
		unix.Close(fd)
	}
	return text
}

// probeGroup makes a group as a task with a limit on memory gets it, removes it,
// and says why that is not possible.
func probeGroup() error {
	const someMB = 64
	g, err := monitor.NewGroup("doctor-"+strconv.Itoa(os.Getpid()), someMB)
	if err != nil {
		return err
	}
	return g.Remove()
}

// examineCgroup says whether tasks could have groups of their own.
func examineCgroup(_ context.Context, x *examination) ([]Finding, error) {
	if err := x.noGroup(); err != nil {
		return note("none can be made: "+strings.ReplaceAll(err.Error(), "\n", "; "), "")
	}
	return fine("a task can have one, which bounds its memory")
}

// examineTrees checks how the processes of a task are kept in one tree.
func examineTrees(context.Context, *examination) ([]Finding, error) {
	self, err := proc.Self()
	if err == nil {
		err = self.Signal(0)
	}
	if err != nil {
		return problem("processes cannot be told apart: "+err.Error(), "needs Linux 5.3 and /proc")
	}
	return note("found by parent, session and environment: a process that clears its environment and leaves its session "+
		"can outlive a consumer that is killed by SIGKILL", "")
}

// sampledLimit is the finding about a limit that is enforced by looking at the
// processes of a task, with what to say before and after that.
func sampledLimit(before, after string) ([]Finding, error) {
	if _, err := os.ReadDir("/proc/self/fd"); err != nil {
		return note(before+"none"+after, "")
	}
	return fine(before + "sampled from /proc" + after)
}
