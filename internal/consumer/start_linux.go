package consumer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"weft/internal/inherit"
	"weft/internal/role"
)

// A startFunc starts a process of a task. It returns what the process could not inherit
// from the submitter, in words.
type startFunc func(*exec.Cmd) (narrowed string, err error)

// A starter starts the processes of tasks with the attributes of their submitters. It must
// be used on the main thread.
type starter struct {
	*inherit.Setter

	wanted inherit.Attributes // for the last task
	kept   inherit.Kept       // the result of setting them
}

// start starts the process of a task with the given attributes; nil means those of this
// process. It returns what the process could not get, in words.
func (s *starter) start(cmd *exec.Cmd, want *inherit.Attributes) (narrowed string, err error) {
	if want == nil {
		want = &s.Own
	}
	if *want != s.wanted {
		s.wanted, s.kept = *want, s.Set(*want)
	}
	// This process creates its own files with modes that no umask changes.
	own := syscall.Umask(want.Umask)
	defer syscall.Umask(own)
	if s.kept.Direct() {
		return s.kept.Short, cmd.Start()
	}
	return s.kept.Short, startBy(cmd, s.kept)
}

// A launchOrder describes the program to execute for a process that cannot inherit all it
// needs: the consumer must not set such attributes on itself, or could not undo them.
type launchOrder struct {
	Path  []byte // bytes, because it need not be text
	Args  []byte // each terminated by a NUL
	Env   []byte
	Files int // extra files
	Kept  inherit.Kept
}

// startBy starts cmd as a process of this program, which then executes the program of cmd:
// see [Become].
func startBy(cmd *exec.Cmd, kept inherit.Kept) error {
	ours, theirs, err := role.Pair()
	if err != nil {
		return err
	}
	defer ours.Close()
	order := launchOrder{[]byte(cmd.Path), packed(cmd.Args), packed(cmd.Env), len(cmd.ExtraFiles), kept}
	cmd.Path, cmd.Args, cmd.Env = "/proc/self/exe", cmd.Args[:1], append(os.Environ(), role.Entry(role.Exec))
	cmd.ExtraFiles = append([]*os.File{theirs}, cmd.ExtraFiles...)
	err = cmd.Start()
	theirs.Close()
	if err != nil {
		return err
	}
	_ = ours.SetDeadline(time.Now().Add(helloDeadline))
	var reply []byte
	if err = json.NewEncoder(ours).Encode(order); err == nil {
		reply, err = io.ReadAll(ours)
	}
	// The connection ends when the program is executed.
	if errno, bad := strconv.Atoi(string(reply)); err == nil && bad == nil {
		err = syscall.Errno(errno)
	}
	if err == nil || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
		return nil // it was killed; its exit status tells
	}
	_ = cmd.Process.Kill()
	return errors.Join(err, ignoreExit(cmd.Wait()))
}

// ignoreExit drops the error that tells how a process has ended.
func ignoreExit(err error) error {
	if _, ok := errors.AsType[*exec.ExitError](err); ok {
		return nil
	}
	return err
}

// Become runs in a process that a consumer has started to become the process of a task. It
// returns only if that fails. It must be called on the main goroutine.
func Become(conn *os.File) error {
	var o launchOrder
	if err := json.NewDecoder(conn).Decode(&o); err != nil {
		return fmt.Errorf("become a task: %w", err)
	}
	conn, err := inherit.ShiftFiles(conn, o.Files)
	if err != nil {
		return fmt.Errorf("become a task: %w", err)
	}
	err = o.Kept.Exec(string(o.Path), unpacked(o.Args), unpacked(o.Env))
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		fmt.Fprint(conn, int(errno))
		os.Exit(1)
	}
	return fmt.Errorf("become a task: %w", err)
}

func packed(all []string) (bytes []byte) {
	for _, one := range all {
		bytes = append(append(bytes, one...), 0)
	}
	return bytes
}

func unpacked(bytes []byte) (all []string) {
	for one := range strings.SplitAfterSeq(string(bytes), "\x00") {
		if one != "" {
			all = append(all, one[:len(one)-1])
		}
	}
	return all
}
