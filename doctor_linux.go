package weft

import (
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

// examineHost checks what the system offers to tasks and to waiters.
func examineHost(dir string) []Finding {
	noGroup := probeGroup()
	return append([]Finding{
		examineWakeUps(dir),
		examineCgroup(noGroup),
		examineTrees(),
	}, examineLimits(noGroup == nil)...)
}

// fewDescriptors is how many files a process must be able to open: one that
// waits for many queues has a pipe for each, up to 256, and its store.
const fewDescriptors = 256

// examineWakeUps looks at how a process learns that a queue has changed.
func examineWakeUps(dir string) Finding {
	const check = "wake-ups"
	means, err := notify.Inspect(filepath.Join(dir, "bells"))
	if err != nil {
		return problem(check, err.Error()+": who waits has to poll", "remove it")
	}
	// The soft limit is the hard one here: Go raises it in every program.
	var files unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err != nil {
		return problem(check, "read RLIMIT_NOFILE: "+err.Error(), "")
	}
	inotify := "fs.inotify.max_user_instances " + watchers()
	if means != "pipes" {
		return note(check, means+"; "+inotify+": beyond it, who waits has to poll", "")
	}
	found := fmt.Sprintf("named pipes and epoll, at most %d open files (RLIMIT_NOFILE); inotify is not used, so %s does not matter",
		files.Cur, inotify)
	if files.Cur < fewDescriptors {
		return problem(check, found, fmt.Sprintf("raise the limit (ulimit -n %d): without descriptors, who waits has to poll", 4*fewDescriptors))
	}
	return fine(check, found)
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
func examineCgroup(noGroup error) Finding {
	const check = "cgroup"
	if noGroup != nil {
		return note(check, "none can be made: "+strings.ReplaceAll(noGroup.Error(), "\n", "; "), "")
	}
	return fine(check, "a task can have one, which bounds its memory")
}

// examineTrees checks how the processes of a task are kept in one tree.
func examineTrees() Finding {
	const check = "task trees"
	self, err := proc.Self()
	if err == nil {
		err = self.Signal(0)
	}
	if err != nil {
		return problem(check, "processes cannot be told apart: "+err.Error(), "needs Linux 5.3 and /proc")
	}
	return note(check, "found by parent, session and environment: a process that clears its environment and leaves its session "+
		"can outlive a consumer that is killed by SIGKILL", "")
}

// examineLimits checks how limits are enforced.
func examineLimits(groups bool) []Finding {
	sampled := "sampled from /proc"
	if _, err := os.ReadDir("/proc/self/fd"); err != nil {
		sampled = noEnforcement
	}
	memory := sampled
	if groups {
		memory = "cgroup"
	}
	return []Finding{
		examineLimit("memory_mb", memory),
		examineLimit("cpu_percent", sampled),
		examineLimit("max_fds", "rlimit for each process; "+sampled+" for the whole task"),
		examineLimit("max_connections", sampled+", advisory"),
	}
}
