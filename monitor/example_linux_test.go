package monitor_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"weft/monitor"
	"weft/taskspec"
)

// A shell that takes too much memory is found and killed, with everything it has started.
func ExampleResourceMonitor() {
	cmd := exec.Command("sh", "-c", `x=$(head -c 20000000 /dev/zero | tr "\0" x); sleep 600 & wait`)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	defer cmd.Wait()

	m := &monitor.ResourceMonitor{PID: cmd.Process.Pid, Limits: taskspec.Limits{MemoryMB: new(10.0)}}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	v, exceeded := m.Watch(ctx)
	what, _, _ := strings.Cut(v.Text, " ")
	fmt.Println(exceeded, what, m.Peak().MemoryMB > 10)

	tree := monitor.Tree{Group: cmd.Process.Pid}
	if _, err := tree.Kill(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	left, err := tree.Members()
	fmt.Println(len(left), err)
	// Output:
	// true memory true
	// 0 <nil>
}
