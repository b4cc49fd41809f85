package function

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"weft/internal/role"
)

// describeDeadline bounds the time in which a program must describe its functions. A
// program that never calls Init would do its own work instead.
const describeDeadline = 10 * time.Second

// ErrNothingRegistered is returned for a program that does not describe its functions.
var ErrNothingRegistered = errors.New("program does not offer functions")

// ReadDescription executes the program at path, with this environment, and returns its
// description. Cancelling ctx kills it. The error wraps [ErrNothingRegistered] if the program does not
// describe its functions.
func ReadDescription(ctx context.Context, path string, env []string) (Listing, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, describeDeadline, fmt.Errorf("%w: it said nothing in %v", ErrNothingRegistered, describeDeadline))
	defer cancel()
	ours, theirs, err := role.Pair()
	if err != nil {
		return Listing{}, err
	}
	defer ours.Close()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, path)
	cmd.Args = []string{"weft-describe"}
	cmd.Env = append(append([]string{}, env...), role.Entry(role.Describe))
	cmd.Dir = "/"
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.Stderr = &stderr
	cmd.WaitDelay = time.Second // its children may hold its output open
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	err = cmd.Start()
	theirs.Close()
	if err != nil {
		return Listing{}, fmt.Errorf("ask %s for its functions: %w", path, err)
	}
	defer context.AfterFunc(ctx, func() { ours.Close() })()
	text, _ := io.ReadAll(ours) // the exit status says more
	err = cmd.Wait()
	var l Listing
	switch {
	case ctx.Err() != nil:
		return Listing{}, fmt.Errorf("ask %s for its functions: %w", path, context.Cause(ctx))
	case json.Unmarshal(text, &l) == nil:
		return l, nil
	case err != nil:
		return Listing{}, fmt.Errorf("ask %s for its functions: %w: it ended with %w: %s", path, ErrNothingRegistered, err, lastOf(stderr.String()))
	}
	return Listing{}, fmt.Errorf("ask %s for its functions: %w: it must call weft.Init first", path, ErrNothingRegistered)
}

// lastOf returns the last line of a text.
func lastOf(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndexByte(text, '\n')+1:]
}
