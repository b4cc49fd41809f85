package main

import (
	"context"
	"database/sql"
	"log/slog"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
)

// riverArgs are the arguments of a job that does nothing.
type riverArgs struct{}

// Kind is the name of the job.
func (riverArgs) Kind() string { return nothing }

// riverJobs runs jobs with River, which looks for them as often as it can be told
// to: on SQLite it is not told when there are some.
type riverJobs struct {
	db     *sql.DB
	client *river.Client[*sql.Tx]
}

func openRiver(ctx context.Context, db *sql.DB, ran func()) (jobRunner, error) {
	driver := riversqlite.New(db)
	migrator, err := rivermigrate.New(driver, &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return nil, err
	}
	workers := river.NewWorkers()
	river.AddWorker(workers, river.WorkFunc(func(context.Context, *river.Job[riverArgs]) error {
		ran()
		return nil
	}))
	client, err := river.NewClient(driver, &river.Config{
		FetchCooldown:     time.Millisecond,
		FetchPollInterval: time.Millisecond,
		Logger:            slog.New(slog.DiscardHandler),
		Queues:            map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: jobsWorkers}},
		Workers:           workers,
	})
	if err != nil {
		return nil, err
	}
	return &riverJobs{db, client}, client.Start(ctx)
}

func (r *riverJobs) enqueue(ctx context.Context) error {
	_, err := r.client.Insert(ctx, riverArgs{}, nil)
	return err
}

func (r *riverJobs) settled(ctx context.Context) (bool, error) {
	return none(ctx, r.db, `SELECT count(*) FROM river_job WHERE state <> 'completed'`)
}

func (r *riverJobs) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return r.client.Stop(ctx)
}
