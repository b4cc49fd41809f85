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

// tellDeadline is how long a program may take to say which functions it has. One
// that never calls Init would do its own work instead.
const tellDeadline = 10 * time.Second

// ErrNoHost is returned for a program that does not say which functions it has.
var ErrNoHost = errors.New("program does not offer functions")

// ReadDescription executes the program at path, with this environment, and returns what it
// says of itself. Cancelling ctx kills it. The error wraps [ErrNoHost] if it says
// nothing.
func ReadDescription(ctx context.Context, path string, env []string) (Listing, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, tellDeadline, fmt.Errorf("%w: it said nothing in %v", ErrNoHost, tellDeadline))
	defer cancel()
	ours, theirs, err := role.Pair()
	if err != nil {
		return Listing{}, err
	}
	defer ours.Close()
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, path)
	cmd.Args = []string{"weft-describe"}
	cmd.Env = append(append([]string{}, env...), role.Entry(role.Describe))
	cmd.Dir = "/"
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.Stderr = &said
	cmd.WaitDelay = time.Second // should it leave others behind that hold its output
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	err = cmd.Start()
	theirs.Close()
	if err != nil {
		return Listing{}, fmt.Errorf("ask %s for its functions: %w", path, err)
	}
	defer context.AfterFunc(ctx, func() { ours.Close() })()
	text, _ := io.ReadAll(ours) // how it ended says more
	err = cmd.Wait()
	var l Listing
	switch {
	case ctx.Err() != nil:
		return Listing{}, fmt.Errorf("ask %s for its functions: %w", path, context.Cause(ctx))
	case json.Unmarshal(text, &l) == nil:
		return l, nil
	case err != nil:
		return Listing{}, fmt.Errorf("ask %s for its functions: %w: it ended with %w: %s", path, ErrNoHost, err, lastOf(said.String()))
	}
	return Listing{}, fmt.Errorf("ask %s for its functions: %w: it must call weft.Init first", path, ErrNoHost)
}

// lastOf is the last line of a text.
func lastOf(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndexByte(text, '\n')+1:]
}
