//go:build linux

package weft_test

import (
	"testing"

	"weft/internal/waittest"
	"weft/taskspec"
)

// TestFastTasks runs many tasks that are over at once: none may lose its
// result, get another's, or be done twice.
func TestFastTasks(t *testing.T) {
	t.Parallel()
	tasks := waittest.Size(250, 1000)
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
