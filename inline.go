package weft

import (
	"context"

	"weft/internal/ledger"
)

// submitInline submits a task that this program is ready to carry out inside itself,
// and begins it at once: its request need not go through the store to come back.
// It returns nil for any other, and for one that has to queue.
func submitInline(ctx context.Context, p *Project, all []ledger.Submission) (*Task, error) {
	server := p.inline.Load()
	if server == nil || len(all) != 1 {
		return nil, nil
	}
	spec := all[0].Spec
	if !spec.Inline() || spec.Delay > 0 || spec.IO.Inputs["inbox"] != "" {
		return nil, nil
	}
	visit, err := server.Submit(ctx, all[0])
	if visit == nil || err != nil {
		return nil, err
	}
	begun := visit.Task()
	return &Task{project: p, tid: begun.TID, key: begun.Key, isNew: true, local: visit}, nil
}
