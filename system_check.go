package weft

import (
	"context"
	"fmt"

	"weft/internal/disk"
	"weft/manager"
	"weft/taskspec"
)

// Unfinished returns the statuses of tasks that have not ended, for a
// [TaskFilter].
func Unfinished() []taskspec.Status {
	return []taskspec.Status{taskspec.StatusCreated, taskspec.StatusSpawning, taskspec.StatusRunning}
}

// lowDisk is the free space, in bytes, below which the store may soon be unable
// to record anything: two messages of the largest size with their indexes and
// the log of the store.
const lowDisk = 64 << 20

// Check returns a line for each problem that keeps the project from working, with what
// to do about it. It changes nothing.
func (s System) Check(ctx context.Context) (problems []string, err error) {
	counts, err := s.project.CountTasks(ctx)
	if err != nil {
		return nil, err
	}
	waiting := 0
	for _, status := range Unfinished() {
		waiting += counts[status]
	}
	running, err := manager.Running(s.project.dir)
	if err != nil {
		return nil, fmt.Errorf("check project: %w", err)
	}
	if waiting > 0 && !running {
		problems = append(problems, fmt.Sprintf("no manager for the unfinished tasks (%d): run weft manager start", waiting))
	}
	damage, err := damageProblem(ctx, s.project)
	if err != nil {
		return nil, fmt.Errorf("check project: %w", err)
	}
	if damage != "" {
		problems = append(problems, damage)
	}
	if trouble := s.project.Manager().trouble(ctx); running && trouble != nil {
		problems = append(problems, trouble.Error())
	}
	if space, known := disk.SpaceIn(s.project.dir); known && space.Free < lowDisk {
		problems = append(problems, fmt.Sprintf("disk nearly full, %d MB free in %s: make room", space.Free>>20, s.project.dir))
	}
	return problems, nil
}
