package main

import (
	"context"
	"database/sql"
	"sync"
	"time"

	"maragu.dev/goqite"
	"maragu.dev/goqite/jobs"
)

// goqiteJobs runs jobs with goqite's runner, which looks for them every
// millisecond and keeps none that is done.
type goqiteJobs struct {
	db      *sql.DB
	queue   *goqite.Queue
	stop    context.CancelFunc
	running sync.WaitGroup
}

func openGoqiteJobs(ctx context.Context, db *sql.DB, ran func()) (jobRunner, error) {
	if err := createGoqite(ctx, db); err != nil {
		return nil, err
	}
	j := &goqiteJobs{db: db, queue: goqite.New(goqite.NewOpts{DB: db, Name: queueName})}
	r := jobs.NewRunner(jobs.NewRunnerOpts{Limit: jobsWorkers, PollInterval: time.Millisecond, Queue: j.queue})
	r.Register(nothing, func(context.Context, []byte) error {
		ran()
		return nil
	})
	ctx, j.stop = context.WithCancel(ctx)
	j.running.Go(func() { r.Start(ctx) })
	return j, nil
}

func (j *goqiteJobs) enqueue(ctx context.Context) error {
	_, err := jobs.Create(ctx, j.queue, nothing, goqite.Message{Body: []byte("{}")})
	return err
}

func (j *goqiteJobs) settled(ctx context.Context) (bool, error) {
	return none(ctx, j.db, `SELECT count(*) FROM goqite`)
}

func (j *goqiteJobs) close() error {
	j.stop()
	j.running.Wait()
	return nil
}
