package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
)

// roleArg is the first argument of this program when it has executed itself to
// be another process of a benchmark. The next one names the role.
const roleArg = "as"

// A part is what such a process does: it answers one request after another.
type part func(request int) (reply any, err error)

// play plays a role until the standard input ends.
func play(role string, args []string) error {
	begin, known := map[string]func([]string) (part, io.Closer, error){
		"writer":  beWriter,
		"taker":   beTaker,
		"poller":  bePoller,
		"manager": beManager,
		"watcher": beWatcher,
		"filler":  beFiller,
	}[role]
	if !known {
		return fmt.Errorf("no role %q", role)
	}
	act, closer, err := begin(args)
	if err != nil {
		return err
	}
	err = serve(act)
	return errors.Join(err, closer.Close())
}

func serve(act part) error {
	requests, replies := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var request int
		if err := requests.Decode(&request); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		reply, err := act(request)
		if err != nil {
			return err
		}
		if err := replies.Encode(reply); err != nil {
			return err
		}
	}
}

// A helper is this program as another process, seen from the one that measures.
type helper struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	replies *json.Decoder
}

// help starts a helper. The caller closes it.
func help(ctx context.Context, role string, args ...string) (*helper, error) {
	h := &helper{cmd: exec.CommandContext(ctx, "/proc/self/exe", append([]string{roleArg, role}, args...)...)}
	h.cmd.Stderr = os.Stderr
	var err error
	if h.in, err = h.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := h.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	h.replies = json.NewDecoder(out)
	if err := h.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", role, err)
	}
	return h, nil
}

// request asks the helper for something; answer has to follow.
func (h *helper) request(n int) error {
	_, err := fmt.Fprintln(h.in, n)
	return err
}

// answer reads the helper's answer.
func (h *helper) answer(reply any) error {
	if err := h.replies.Decode(reply); err != nil {
		return fmt.Errorf("%s: %w", h.cmd.Args[2], err)
	}
	return nil
}

// close ends the helper and waits for it.
func (h *helper) close() error {
	return errors.Join(h.in.Close(), h.cmd.Wait())
}
