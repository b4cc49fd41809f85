package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"time"

	"weft/internal/consumer"
	"weft/internal/role"
)

// A worker is a process of the host that carries out one call, as a consumer
// starts it.
type worker struct {
	cmd   *exec.Cmd
	link  *consumer.Link[consumer.WorkerReport, consumer.WorkerOrder]
	value *os.File
}

// hire starts a worker. The caller closes it.
func hire(ctx context.Context, host string) (*worker, error) {
	ours, theirs, err := role.Pair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	read, write, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, ours.Close())
	}
	defer write.Close()
	w := &worker{exec.CommandContext(ctx, host), consumer.NewLink[consumer.WorkerReport, consumer.WorkerOrder](ours), read}
	w.cmd.Env = append(os.Environ(), role.Entry(role.Function))
	w.cmd.ExtraFiles = []*os.File{theirs, write}
	w.cmd.Stderr = os.Stderr
	if err := w.cmd.Start(); err != nil {
		return nil, errors.Join(err, ours.Close(), read.Close())
	}
	return w, nil
}

// enter has the worker call the function that says when it was entered.
func (w *worker) enter() (time.Time, error) {
	work := &consumer.Work{Protocol: consumer.WorkerProtocol, Name: entry, Dir: "/"}
	if err := w.link.Send(consumer.WorkerOrder{Work: work}); err != nil {
		return time.Time{}, err
	}
	value, err := io.ReadAll(w.value)
	if err != nil {
		return time.Time{}, err
	}
	return moment(value)
}

// close waits for the worker, which has nothing to do any more.
func (w *worker) close() error { return errors.Join(w.link.Close(), w.value.Close(), w.cmd.Wait()) }

// moment is what the host's clock says in text.
func moment(text []byte) (time.Time, error) {
	ns, err := strconv.ParseInt(string(bytes.TrimSpace(text)), 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("read the host's clock: %w", err)
	}
	return time.Unix(0, ns), nil
}

// warmCall returns the milliseconds from the order to a worker that waits to the
// first line of the function.
func (b *bench) warmCall(ctx context.Context) (ms float64, err error) {
	w, err := hire(ctx, b.host)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if _, err := w.link.Receive(); err != nil { // it is about to wait
		return 0, err
	}
	// Another start lasts longer than it needs to get there.
	if _, err := (program{path: b.host}).spend(); err != nil {
		return 0, err
	}
	begin := time.Now().Round(0) // the time of day, which the host's clock tells
	entered, err := w.enter()
	return milliseconds(entered.Sub(begin)), err
}

// coldCall returns the same for a worker that has to be started.
func (b *bench) coldCall(ctx context.Context) (ms float64, err error) {
	begin := time.Now().Round(0)
	w, err := hire(ctx, b.host)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	entered, err := w.enter()
	return milliseconds(entered.Sub(begin)), err
}
