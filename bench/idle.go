package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"weft"
)

// idleTime is how long nothing happens. Idle consumers stay for 30 s.
const idleTime = 10 * time.Second

// idle measures what a project costs while it has nothing to do: its manager
// and the consumers that are kept warm, against a bare program that has a store
// open and waits.
func idle(ctx context.Context, b *bench) (rows []row, err error) {
	warm, err := b.warm(ctx, "full")
	if err != nil {
		return nil, err
	}
	if _, err := warm.spend(); err != nil {
		return nil, err
	}
	manager, err := managerOf(ctx, warm.dir)
	if err != nil {
		return nil, err
	}
	consumers, err := children(manager)
	if err != nil {
		return nil, err
	}
	if len(consumers) == 0 {
		return nil, errors.New("manager has no consumer")
	}
	floor, held, err := b.floorOf("full")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, held.close()) }()
	bare, release, err := hold(ctx, floor)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, release()) }()

	all := append([]int{manager}, consumers...)
	used, bareUsed, err := usedWhileIdle(ctx, all, bare)
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("CPU of the manager and %d idle consumers in 10 s", len(consumers))
	rows = append(rows, newRow(name, "ms", samples{used}, samples{bareUsed}, bareIdle, numberAtMost(10)))
	for _, p := range []struct {
		name   string
		pid    int
		target target
	}{{"memory of the manager (RSS)", manager, numberAtMost(25)}, {"memory of an idle consumer (RSS)", consumers[0], target{}}} {
		ours, err := resident(p.pid)
		if err != nil {
			return nil, err
		}
		floor, err := resident(bare)
		if err != nil {
			return nil, err
		}
		rows = append(rows, newRow(p.name, "MB", samples{ours}, samples{floor}, bareIdle, p.target))
	}
	return rows, nil
}

// bareIdle is what the floor of an idle process is called.
const bareIdle = "idle bare program"

// usedWhileIdle is the CPU time, in ms, that the processes have used when
// nothing has happened for a while.
func usedWhileIdle(ctx context.Context, pids []int, bare int) (used, bareUsed float64, err error) {
	before, err := cpu(pids...)
	if err != nil {
		return 0, 0, err
	}
	bareBefore, err := cpu(bare)
	if err != nil {
		return 0, 0, err
	}
	select {
	case <-time.After(idleTime):
	case <-ctx.Done():
		return 0, 0, context.Cause(ctx)
	}
	after, err := cpu(pids...)
	if err != nil {
		return 0, 0, err
	}
	bareAfter, err := cpu(bare)
	return after - before, bareAfter - bareBefore, err
}

// managerOf returns the process of the project's manager.
func managerOf(ctx context.Context, dir string) (int, error) {
	p, err := weft.Open(dir)
	if err != nil {
		return 0, err
	}
	all, err := p.Manager().List(ctx)
	if err = errors.Join(err, p.Close()); err != nil {
		return 0, err
	}
	if len(all) == 0 || !all[len(all)-1].Running {
		return 0, errors.New("no manager")
	}
	return all[len(all)-1].PID, nil
}

// children are the processes that a process has started.
func children(pid int) (pids []int, err error) {
	lists, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return nil, err
	}
	for _, thread := range lists {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, thread.Name()))
		if err != nil {
			return nil, err
		}
		for field := range strings.FieldsSeq(string(text)) {
			child, err := strconv.Atoi(field)
			if err != nil {
				return nil, err
			}
			pids = append(pids, child)
		}
	}
	return pids, nil
}

// cpu is the CPU time that the processes have used, in ms. Their clocks tell it
// to the nanosecond; /proc/PID/stat counts in steps of 10 ms.
func cpu(pids ...int) (sum float64, err error) {
	for _, pid := range pids {
		// The id of a process's clock is made of its pid as clock_getcpuclockid(3)
		// does: 2 means the time the scheduler counted, for the whole process.
		var t unix.Timespec
		if err := unix.ClockGettime(int32(^pid)<<3|2, &t); err != nil {
			return 0, fmt.Errorf("read CPU clock of process %d: %w", pid, err)
		}
		sum += milliseconds(time.Duration(t.Nano()))
	}
	return sum, nil
}

// resident is the memory of a process, in MB, shared pages included.
func resident(pid int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, err
	}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		var kb float64
		if n, _ := fmt.Sscanf(lines.Text(), "Rss: %f kB", &kb); n == 1 {
			return kb * 1024 / 1e6, nil
		}
	}
	return 0, fmt.Errorf("no Rss of process %d", pid)
}

// hold starts the bare program so that it stays. release ends it.
func hold(ctx context.Context, floor program) (pid int, release func() error, err error) {
	cmd := exec.CommandContext(ctx, floor.path, append(floor.args, "--hold")...)
	in, err := cmd.StdinPipe()
	if err != nil {
		return 0, nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, nil, err
	}
	if err := cmd.Start(); err != nil {
		return 0, nil, err
	}
	release = func() error { return errors.Join(in.Close(), cmd.Wait()) }
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		return 0, nil, errors.Join(fmt.Errorf("%s: %w", floor.path, err), release())
	}
	return cmd.Process.Pid, release, nil
}
