//go:build linux

package weft_test

import (
	"bufio"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"weft"
	"weft/internal/proc"
	"weft/internal/waittest"
	"weft/taskspec"
)

// An escapeCase is a way in which a process of a task tries to escape. The name says
// how; in all of them the process holds the task's output open.
type escapeCase struct {
	name string
	says int // number of processes, each of which writes its pid
	// escapes is true if the process may outlive its consumer: it bears no mark by
	// which another process could recognize it.
	escapes bool
}

// escapeCases are all ways to escape.
var escapeCases = []escapeCase{
	{name: "plain", says: 1},                         // is just there when the task's own process has ended
	{name: "session", says: 1},                       // in a session of its own
	{name: "orphan", says: 1},                        // in a group of its own, its parent gone
	{name: "no-environment", says: 1, escapes: true}, // in a session of its own, its parent gone, its environment cleared
	{name: "unresponsive", says: 1},                  // ignores SIGTERM, and so does the task's own process
	{name: "stopped", says: 1},                       // stopped: see await
	{name: "bomb", says: bombers},                    // keeps forking, also while it is being killed
}

// bombers is how many processes of a bomb start children, one after the other: when
// a child ends or is killed, its parent starts the next.
const bombers = 200

// bomb writes one line, whole, for each bomber.
const bomb = `n=0; while [ $n -lt $3 ]; do n=$((n+1))
( read -r pid rest </proc/self/stat; echo bomb $pid >"$1"; while :; do sleep 1; done ) &
done; read -r line <"$2"`

// spec is the spec of a task with such a process. The task's own process ends when
// proceed is opened.
func (a escapeCase) spec(tell, proceed *waittest.FIFO) (*taskspec.Spec, error) {
	if a.name == "bomb" {
		return shell(bomb, tell.Path, proceed.Path, fmt.Sprint(a.says)), nil
	}
	self, err := os.Executable()
	s := weft.Command(self, a.name, tell.Path, proceed.Path)
	s.Env = map[string]string{partVariable: partKeeper}
	return s, err
}

// await waits until all processes of the case have started, and returns them; nil if
// the task ends before.
func (a escapeCase) await(p *project, tell *waittest.FIFO, tid string) []proc.Identity {
	p.t.Helper()
	processes := p.members(tell, tid, a.says)
	if a.name == "stopped" {
		for _, id := range processes {
			_ = id.Signal(syscall.SIGSTOP) // it may have ended
		}
	}
	return processes
}

// members returns n processes of a task, which write their names and pids to tell;
// nil if the task ends before.
func (p *project) members(tell *waittest.FIFO, tid string, n int) (all []proc.Identity) {
	p.t.Helper()
	for _, line := range p.told(tell, tid, n) {
		_, number, _ := strings.Cut(line, " ")
		pid, err := strconv.Atoi(number)
		if err != nil {
			p.t.Fatal(err)
		}
		id, err := proc.Of(pid)
		if err != nil {
			return nil
		}
		all = append(all, id)
	}
	return all
}

// playKeeper is a task that starts an escaping process and waits for proceed.
func playKeeper(name, tell, proceed string) error {
	if name == "unresponsive" {
		signal.Ignore(syscall.SIGTERM) // which its children inherit
	}
	first, attr := name, new(syscall.SysProcAttr)
	switch name {
	case "session":
		attr.Setsid = true
	case "orphan", "no-environment":
		first = parentOf + name
	}
	if err := again(partEscaping, []string{tell, first}, attr).Start(); err != nil {
		return err
	}
	f, err := os.Open(proceed)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = bufio.NewReader(f).ReadString('\n')
	return err
}

// parentOf names a process that starts an escaping process and ends.
const parentOf = "parent of "

// playEscaping writes that it runs, and waits.
func playEscaping(tell, name string) error {
	child, isParent := strings.CutPrefix(name, parentOf)
	if !isParent {
		return playChild(tell, name)
	}
	next := again(partEscaping, []string{tell, child}, &syscall.SysProcAttr{Setpgid: true})
	if child == "no-environment" {
		next.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		next.Env = []string{partVariable + "=" + partEscaping}
	}
	return next.Start()
}
