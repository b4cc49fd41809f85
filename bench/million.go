package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"weft"
	"weft/internal/ledger"
)

// many is a million, the number of messages that a store must be able to hold.
const many = 1_000_000

// million writes a million messages and does with the command line what one
// may want to do with them. No process may need more memory than a small
// machine has, and the log of the store must be gone when it is done.
func million(ctx context.Context, b *bench) (rows []row, err error) {
	dir, err := b.project(ctx, "full")
	if err != nil {
		return nil, err
	}
	m := &crowd{b: b}
	if err := m.fill(ctx, dir); err != nil {
		return nil, err
	}
	for _, step := range []struct {
		args []string
		want string // what it prints; empty: the messages
	}{
		{[]string{"queue", "list"}, fmt.Sprintf("%s: %d\n", queueName, many)},
		{[]string{"queue", "stats", queueName}, fmt.Sprintf("%s: %d\n", queueName, many)},
		{[]string{"queue", "move", queueName, "moved", "--all"}, ""},
		{[]string{"queue", "peek", "moved", "--all"}, ""},
	} {
		if err := m.step(dir, step.args, step.want); err != nil {
			return nil, err
		}
	}
	if err := m.copied(ctx, dir); err != nil {
		return nil, err
	}
	err = m.step(dir, []string{"queue", "delete", "moved"}, fmt.Sprintf("Deleted %d messages\n", many))
	return append(m.rows, numberRow("1,000,000 messages: largest log that any of these left", "MB", m.log, numberAtMost(64))), err
}

// A crowd is what has been measured of many messages.
type crowd struct {
	b    *bench
	rows []row
	log  float64 // the largest log of a store after a step, in MB
}

// fill writes the messages, a thousand at a time.
func (m *crowd) fill(ctx context.Context, dir string) error {
	h, err := help(ctx, "filler", dir)
	if err != nil {
		return err
	}
	begin := time.Now()
	err = h.request(many)
	if err == nil {
		var written int
		err = h.answer(&written)
	}
	took := time.Since(begin)
	if err := errors.Join(err, h.close()); err != nil {
		return err
	}
	return m.report("write, 1,000 at a time", dir, took, h.cmd.ProcessState)
}

// beFiller is a process that writes n messages.
func beFiller(args []string) (part, io.Closer, error) {
	p, err := weft.OpenExisting(args[0])
	if err != nil {
		return nil, nil, err
	}
	return func(n int) (any, error) {
		for first := 0; first < n; first += 1000 {
			all := make([]string, 1000)
			for i := range all {
				all[i] = numbered(first + i)
			}
			if _, err := p.Queue(queueName).WriteAll(context.Background(), all); err != nil {
				return nil, err
			}
		}
		return n, nil
	}, p, nil
}

// numbered is one of the many messages, of 100 bytes.
func numbered(i int) string { return fmt.Sprintf("message %92d", i) }

// step runs a command in a project and fails unless it prints what it should.
func (m *crowd) step(dir string, args []string, want string) error {
	out, err := os.Create(filepath.Join(dir, "out"))
	if err != nil {
		return err
	}
	err = m.run(dir, args, out)
	if err == nil {
		_, err = out.Seek(0, io.SeekStart)
	}
	if err == nil && want == "" {
		err = inOrder(out)
	} else if err == nil {
		var got []byte
		if got, err = io.ReadAll(out); err == nil && string(got) != want {
			err = fmt.Errorf("printed %.100q, want %q", got, want)
		}
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("weft %s: %w", strings.Join(args, " "), err)
	}
	return nil
}

// inOrder fails unless the file holds all messages in order.
func inOrder(f io.Reader) error {
	lines := bufio.NewScanner(f)
	n := 0
	for ; lines.Scan(); n++ {
		if want := numbered(n); lines.Text() != want {
			return fmt.Errorf("line %d is %.100q, want %q", n+1, lines.Text(), want)
		}
	}
	if lines.Err() == nil && n != many {
		return fmt.Errorf("%d lines, want %d", n, many)
	}
	return lines.Err()
}

// run runs a command of weft in a project and reports what it took.
func (m *crowd) run(dir string, args []string, out *os.File) error {
	cmd := exec.Command(m.b.weft, args...)
	cmd.Dir, cmd.Stdout = dir, out
	var errs strings.Builder
	cmd.Stderr = &errs
	begin := time.Now()
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%w: %s", err, errs.String())
	}
	return m.report("`weft "+strings.Join(args[:2], " ")+"`", dir, time.Since(begin), cmd.ProcessState)
}

// report adds what one step took, and looks what it left in the log.
func (m *crowd) report(name, dir string, took time.Duration, ended *os.ProcessState) error {
	log, err := os.Stat(filepath.Join(dir, ledger.Dir, "broker.db-wal"))
	if err == nil {
		m.log = max(m.log, float64(log.Size())/1e6)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// What is counted is at least what this process has had, because the other
	// one began as a copy of it; which is little.
	memory := float64(ended.SysUsage().(*syscall.Rusage).Maxrss) * 1024 / 1e6
	name = "1,000,000 messages: " + name
	m.rows = append(m.rows,
		numberRow(name, "s", took.Seconds(), target{}),
		numberRow(name+": memory (RSS)", "MB", memory, numberAtMost(150)))
	return nil
}

// copied copies the project out and into another one, if this weft can.
func (m *crowd) copied(ctx context.Context, dir string) error {
	if exec.CommandContext(ctx, m.b.weft, "system", "dump", "--help").Run() != nil {
		return nil
	}
	other, err := m.b.project(ctx, "full")
	if err != nil {
		return err
	}
	file := filepath.Join(dir, "dump")
	if err := m.run(dir, []string{"system", "dump", "-o", file}, nil); err != nil {
		return err
	}
	if err := m.run(other, []string{"system", "load", "-i", file}, nil); err != nil {
		return err
	}
	return m.step(other, []string{"queue", "peek", "moved", "--all"}, "")
}
