package manager

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"weft/broker"
	"weft/internal/proc"
	projectfiles "weft/internal/project" // the tests have a type called project
	"weft/internal/role"
	"weft/internal/title"
)

// startName is the file that a client locks while it starts a manager, so that clients that
// find none at the same time start only one.
const startName = "manager.start"

// maxStarts bounds how often a manager is started that is killed while it starts. That is
// not its fault, so there is no hurry to give up; but a system without memory may kill each.
const maxStarts = 30

// slowStart is the time after which a client that waits for a manager to start is told why
// it takes so long. A start takes a tenth of a second if nothing is wrong.
const slowStart = 5 * time.Second

// A manager that ended before it could report why ended by itself, or was killed.
var (
	errNoAnswer = errors.New("it ended without a word")
	errKilled   = errors.New("it was killed")
)

// Start starts a detached manager for the project in dir, whose store is b, and waits
// until it is ready. If another process is starting one, Start waits for that one. It
// returns nil if the project turns out to have one. Cancelling ctx ends the wait, not the
// manager. If the wait is long, Start calls tell with the reason, on any goroutine.
func Start(ctx context.Context, executable string, call Call, dir string, b *broker.Broker, tell func(text string)) error {
	starting, err := projectfiles.Lock(dir, startName)
	if err != nil {
		return fmt.Errorf("start manager: %w", err)
	}
	defer starting.Close()
	waited := false
	slow := time.AfterFunc(slowStart, func() {
		tell("another process is starting the manager and does not come to an end: if it is stopped, let it go on or end it")
	})
	err = awaitLock(ctx, starting, func() bool { waited = true; return true })
	slow.Stop()
	if err != nil {
		return fmt.Errorf("start manager: %w", err)
	}
	if waited && !leaderless(b) {
		return nil
	}
	for range maxStarts {
		if err = launch(ctx, executable, call, dir, tell); !errors.Is(err, errKilled) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("start manager: %w", err)
	}
	return nil
}

// launch starts the process and waits until it reports that it is ready, or why it failed.
func launch(ctx context.Context, executable string, call Call, dir string, tell func(string)) error {
	conn, process, err := spawn(executable, dir, call.Env)
	if err != nil {
		return err
	}
	// The process outlives its starter, which waits for it only if it fails. If the starter
	// lives longer, one zombie is the price for not waiting in a goroutine that cannot be
	// cancelled.
	defer process.Release()
	defer conn.Close()
	started, _ := proc.Of(process.Pid) // zero if it has ended already
	defer time.AfterFunc(slowStart, func() { tell(slowness(started, dir)) }).Stop()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	var a answer
	if err = json.NewEncoder(conn).Encode(call); err == nil {
		err = json.NewDecoder(conn).Decode(&a)
	}
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, unix.EPIPE), errors.Is(err, unix.ECONNRESET):
		return fmt.Errorf("%w; see %s", howEnded(process), projectfiles.CrashLog(dir))
	case err != nil:
		return err
	case a.Error != "":
		return errors.New(a.Error)
	}
	return nil
}

// howEnded waits for a process that has closed its connection without an answer.
func howEnded(process *os.Process) error {
	state, err := process.Wait()
	if err == nil && state.Sys().(syscall.WaitStatus).Signaled() {
		return errKilled
	}
	return errNoAnswer
}

// slowness describes why a manager that was started is not ready.
func slowness(started proc.Identity, dir string) string {
	if started.Stopped() {
		return fmt.Sprintf("the manager (pid %d) is stopped: kill -CONT %[1]d lets it go on", started.PID)
	}
	return fmt.Sprintf("the manager (pid %d) was started and does not work yet: it, or its consumer, may be stopped; see %s", started.PID, projectfiles.CrashLog(dir))
}

// spawn starts the process, in a session of its own, and returns the connection to it.
func spawn(executable, dir string, env []string) (conn *os.File, process *os.Process, err error) {
	crash, err := projectfiles.OpenCrashLog(dir)
	if err != nil {
		return nil, nil, err
	}
	defer crash.Close()
	ours, theirs, err := role.Pair()
	if err != nil {
		return nil, nil, err
	}
	defer theirs.Close()
	if env == nil {
		env = os.Environ()
	}
	env = slices.DeleteFunc(slices.Clone(env), func(entry string) bool { return strings.HasPrefix(entry, "WEFT_TID=") })
	cmd := &exec.Cmd{
		Path:        executable,
		Args:        []string{"weft-manager" + title.Pad()},
		Env:         append(env, role.Entry(role.Manager)),
		Dir:         "/",
		ExtraFiles:  []*os.File{theirs},
		Stdout:      crash,
		Stderr:      crash,
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	if err := cmd.Start(); err != nil {
		ours.Close()
		return nil, nil, err
	}
	return ours, cmd.Process, nil
}
