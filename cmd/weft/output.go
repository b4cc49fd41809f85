package main

import (
	"bytes"
	"errors"
	"io"

	"weft"
	"weft/taskspec"
)

type taskOutputCmd struct {
	TID    string `arg:"" name:"tid" complete:"task" help:"The task: its id, the last digits of it, or @last."`
	Follow bool   `short:"f" help:"Print what is still to come too, until the task has ended."`
	Stderr bool   `help:"Print what the task wrote to its standard error instead."`
}

// Help shows how it is used.
func (taskOutputCmd) Help() string {
	return `It prints what a task has written so far, byte for byte, and leaves the result:
see weft result.

Examples:

    weft task output @last
    weft task output 1234567890 --follow
    weft task output @last --stderr
`
}

// Run prints the output of a task.
func (c *taskOutputCmd) Run(a *app) error {
	p, err := a.open()
	if err != nil {
		return err
	}
	in := interruptible()
	survivePipe()
	t, err := p.Task(in.first, c.TID)
	if err != nil {
		return err
	}
	print := t.OutputSoFar
	if c.Follow {
		print = t.Output
	}
	var buf bytes.Buffer
	var w io.Writer = a.stdout
	if a.JSON {
		w = &buf
	}
	stdout, stderr := w, io.Writer(nil)
	if c.Stderr {
		stdout, stderr = nil, w
	}
	st, err := print(in.first, stdout, stderr)
	switch {
	case errors.Is(err, weft.ErrTaken):
		return taken(in.first, t)
	case err != nil:
		return err
	case !a.JSON:
		return nil
	}
	return a.printJSON(struct {
		TID    string          `json:"tid"`
		Status taskspec.Status `json:"status"`
		Output any             `json:"output"`
	}{st.TID, st.Status, textOrBytes(buf.Bytes())})
}
