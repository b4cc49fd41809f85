//go:build linux

package weft_test

import (
	"errors"
	"io"
	"testing"

	"weft/taskspec"
)

// TestFastTasks runs many tasks that are over at once: none may lose its
// result, get another's, or be done twice.
func TestFastTasks(t *testing.T) {
	t.Parallel()
	const tasks = 1000
	p := newProject(t)
	c := p.client(call{Do: "load", Load: load{Tasks: tasks, Parallel: 8, Prefix: "token"}})
	for tid, task := range c.results() {
		if want := once(p.task(tid).Name); task.Status != taskspec.StatusCompleted || task.Output != want {
			t.Errorf("task %s: %+v, want %q", tid, task, want)
		}
	}
	names := make(map[string]int)
	for _, task := range p.tasks() {
		names[task.Name]++
	}
	if len(names) != tasks || len(p.tasks()) != tasks {
		t.Errorf("%d tasks with %d names, want %d", len(p.tasks()), len(names), tasks)
	}
}

// results reads all that a client with a load reports, and returns the last
// line for each task.
func (c *client) results() map[string]line {
	c.p.t.Helper()
	last := make(map[string]line)
	for {
		l, err := c.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			c.p.t.Fatal(err)
		}
		if last[l.TID].Status != "" {
			c.p.t.Errorf("task %s was answered twice", l.TID)
		}
		last[l.TID] = l
	}
	if err := c.wait(); err != nil {
		c.p.t.Errorf("client failed: %v\n%s", err, c.erred.String())
	}
	return last
}
