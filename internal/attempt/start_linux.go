package attempt

import (
	"crypto/rand"
	"errors"
	"os"
	"os/exec"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"weft/internal/proc"
	"weft/monitor"
	"weft/taskspec"
)

// cookieName is the variable by which the processes of an attempt are found that is not run
// by a subreaper.
const cookieName = "WEFT_RUN"

// running is the state of an attempt from Start on.
type running struct {
	cmd            *exec.Cmd
	stdout, stderr *os.File
	group          *monitor.Group
	cookie         string          // an environment entry, unless it is run by a subreaper
	first          monitor.Process // likewise
}

// Start starts the command, in a process group of its own. It returns the outcome of one
// that cannot be started. With Subreaper it must be called on a thread that lives as long as
// the process: the kernel kills the process when the thread ends that started it.
func (a *Attempt) Start() *taskspec.Outcome {
	a.group = a.newGroup()
	if a.Process != nil {
		a.cmd, a.stdout, a.stderr = a.Process, a.OutPipe, a.ErrPipe
		if a.group != nil && a.group.Add(a.PID()) != nil {
			a.removeGroup()
		}
	} else {
		path, failed := find(a.Args[0], a.Dir, a.Env)
		if failed != nil {
			a.removeGroup()
			return failed
		}
		err := a.run(path)
		if err != nil && a.group != nil {
			// The kernel may allow making a cgroup, but not starting a process in it.
			a.removeGroup()
			err = a.run(path)
		}
		if err != nil {
			a.removeGroup()
			return Refused(a.Args[0], err)
		}
	}
	if a.Limits.MaxFDs != nil {
		// The limit cannot be set before the program runs. The samples cap the processes
		// that it has started by now. It has not been reaped, so the pid is valid.
		_ = monitor.CapFDs(a.PID(), *a.Limits.MaxFDs)
	}
	if !a.Subreaper {
		if stat, err := proc.Read(a.PID()); err == nil {
			boot, _ := proc.Boot()
			a.first = monitor.Process{PID: a.PID(), Ticks: stat.Ticks, Boot: boot}
		}
	}
	return nil
}

// PID returns the pid of the process.
func (a *Attempt) PID() int { return a.cmd.Process.Pid }

// newGroup makes the cgroup that bounds the memory. It returns nil if none is wanted or can
// be made.
func (a *Attempt) newGroup() *monitor.Group {
	if a.Limits.MemoryMB == nil || a.Group == "" {
		return nil
	}
	g, err := monitor.NewGroup(a.Group, *a.Limits.MemoryMB)
	if err != nil {
		return nil // the memory is sampled instead, and a violation says so
	}
	return g
}

func (a *Attempt) removeGroup() {
	if a.group != nil {
		// A process that hangs in the kernel keeps the group; then it stays.
		_ = a.group.Remove()
		a.group = nil
	}
}

// run opens the command's standard streams and starts it.
func (a *Attempt) run(path string) error {
	attr := &syscall.SysProcAttr{Setpgid: true}
	env := a.Env
	if a.Subreaper {
		attr.Pdeathsig = syscall.SIGKILL
	} else {
		a.cookie = cookieName + "=" + rand.Text()
		env = append(slices.Clone(env), a.cookie)
	}
	if a.group != nil {
		attr.UseCgroupFD, attr.CgroupFD = true, a.group.FD()
	}
	a.cmd = &exec.Cmd{Path: path, Args: a.Args, Env: env, Dir: a.Dir, SysProcAttr: attr}
	if a.Terminal != nil {
		a.stdout = a.Output
		a.cmd.Stdin, a.cmd.Stdout, a.cmd.Stderr = a.Terminal, a.Terminal, a.Terminal
		attr.Setpgid = false // a session leader has its own group
		attr.Setsid, attr.Setctty = true, true
		return a.launch()
	}
	if a.Stdin != nil { // nil is /dev/null
		a.cmd.Stdin = a.Stdin
	}
	var out, errs *os.File
	var err error
	if a.stdout, out, err = os.Pipe(); err != nil {
		return err
	}
	defer out.Close()
	if a.stderr, errs, err = os.Pipe(); err != nil {
		a.stdout.Close()
		return err
	}
	defer errs.Close()
	a.cmd.Stdout, a.cmd.Stderr = out, errs
	if err = a.launch(); err != nil {
		a.stdout.Close()
		a.stderr.Close()
	}
	return err
}

func (a *Attempt) launch() error {
	if a.Launch != nil {
		return a.Launch(a.cmd)
	}
	return a.cmd.Start()
}

// Refused returns the outcome of a task whose process the kernel did not start.
func Refused(name string, err error) *taskspec.Outcome {
	if errors.Is(err, unix.ENOENT) {
		// The file itself is there: the interpreter of a script, or the loader of a binary,
		// is missing.
		return notStarted(false, "%s: its interpreter does not exist", name)
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return notStarted(false, "%s: %v", name, errno)
	}
	return notStarted(false, "%s: %v", name, err)
}
