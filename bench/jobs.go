package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"time"

	"weft"
	"weft/taskspec"
)

// How many jobs there are at a time, how many goroutines enqueue them, each with
// a transaction of its own, and how many may run at once.
const (
	jobsAtOnce  = 1000
	jobSenders  = 8
	jobsWorkers = inlineWorkers
)

// A jobRunner is another library that runs jobs which lie in SQLite.
type jobRunner interface {
	// enqueue asks durably for one job.
	enqueue(ctx context.Context) error
	// settled reports whether all jobs are recorded as done.
	settled(ctx context.Context) (bool, error)
	// close ends it and leaves its store open.
	close() error
}

// An opener makes a jobRunner in an empty store. Each of its jobs calls ran.
type opener func(ctx context.Context, db *sql.DB, ran func()) (jobRunner, error)

// besideJobs measures Weft beside other libraries that run jobs in the process of
// their user and keep them in SQLite: the same job, which does nothing, with as
// many workers, with the same driver, journal and durability; from the first that
// is enqueued until the last is recorded as done. Each turn has a new store, so
// that nobody looks for jobs while another one is measured.
func besideJobs(ctx context.Context, b *bench) (rows []row, err error) {
	peers := []struct {
		name string
		open opener
	}{
		{"River", openRiver},
		{"goqite/jobs", openGoqiteJobs},
		{"backlite", openBacklite},
	}
	for _, durability := range durabilities {
		sides := []side{func() (float64, error) { return b.weftJobs(ctx, durability) }}
		for _, peer := range peers {
			sides = append(sides, func() (float64, error) {
				v, err := b.peerJobs(ctx, durability, peer.open)
				if err != nil {
					err = fmt.Errorf("%s: %w", peer.name, err)
				}
				return v, err
			})
		}
		s, err := compare(ctx, b.rounds, 1, sides...)
		if err != nil {
			return nil, err
		}
		for i, peer := range peers {
			name := "1,000 jobs inside the process, from enqueue to done, " + durability
			rows = append(rows, newRow(name, "/s", s[0], s[i+1], peer.name, target{}))
		}
	}
	return rows, nil
}

// weftJobs calls the function inside this process, and waits until it is recorded
// that all calls have ended.
func (b *bench) weftJobs(ctx context.Context, durability string) (_ float64, err error) {
	s, err := b.serving(ctx, durability)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	g, err := s.project.NewBatch()
	if err != nil {
		return 0, err
	}
	defer g.Close()
	tasks := make([]*weft.Task, jobsAtOnce)
	return rate(jobsAtOnce, func() error {
		err := spread(jobSenders, jobsAtOnce, func(i int) (err error) {
			spec := weft.Function(nothing)
			spec.Isolation = taskspec.IsolationInline
			tasks[i], err = s.project.SubmitContext(ctx, spec)
			return err
		})
		if err == nil {
			err = g.Add(ctx, tasks...)
		}
		for err == nil && g.Len() > 0 {
			var s *weft.TaskStatus
			if s, err = g.Next(ctx); err == nil {
				err = s.Err()
			}
		}
		return err
	})
}

// peerJobs does the same with another library.
func (b *bench) peerJobs(ctx context.Context, durability string, open opener) (_ float64, err error) {
	dir, err := b.folder()
	if err != nil {
		return 0, err
	}
	db, err := openPeer(filepath.Join(dir, "jobs.db"), durability)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var left atomic.Int64
	left.Store(jobsAtOnce)
	all := make(chan struct{})
	r, err := open(ctx, db, func() {
		if left.Add(-1) == 0 {
			close(all)
		}
	})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	return rate(jobsAtOnce, func() error {
		if err := spread(jobSenders, jobsAtOnce, func(int) error { return r.enqueue(ctx) }); err != nil {
			return err
		}
		select {
		case <-all:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		for {
			if done, err := r.settled(ctx); err != nil || done {
				return err
			}
			<-time.After(time.Millisecond) // the question is not to hold up the answer
		}
	})
}

// openPeer opens the store of another library, with the options of ours. With one
// connection, as River and goqite want it, backlite is faster too.
func openPeer(file, durability string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", bareDSN(file, durability)+"&_pragma=journal_mode(WAL)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// none reports whether a query counts nothing.
func none(ctx context.Context, db *sql.DB, query string) (bool, error) {
	n := 0
	err := db.QueryRowContext(ctx, query).Scan(&n)
	return n == 0, err
}
