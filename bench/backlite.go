package main

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/mikestefanello/backlite"
)

// backliteTask is a job that does nothing.
type backliteTask struct{}

// Config is what backlite asks a task for.
func (backliteTask) Config() backlite.QueueConfig {
	return backlite.QueueConfig{Name: nothing, MaxAttempts: 1, Timeout: time.Minute}
}

// backliteJobs runs jobs with backlite, which keeps none that is done.
type backliteJobs struct {
	db     *sql.DB
	client *backlite.Client
	stop   context.CancelFunc
}

func openBacklite(ctx context.Context, db *sql.DB, ran func()) (jobRunner, error) {
	client, err := backlite.NewClient(backlite.ClientConfig{DB: db, NumWorkers: jobsWorkers, ReleaseAfter: time.Hour})
	if err != nil {
		return nil, err
	}
	if err := client.Install(); err != nil {
		return nil, err
	}
	client.Register(backlite.NewQueue(func(context.Context, backliteTask) error {
		ran()
		return nil
	}))
	ctx, stop := context.WithCancel(ctx)
	client.Start(ctx)
	return &backliteJobs{db, client, stop}, nil
}

func (j *backliteJobs) enqueue(ctx context.Context) error {
	_, err := j.client.Add(backliteTask{}).Ctx(ctx).Save()
	return err
}

func (j *backliteJobs) settled(ctx context.Context) (bool, error) {
	return none(ctx, j.db, `SELECT count(*) FROM backlite_tasks`)
}

func (j *backliteJobs) close() error {
	defer j.stop()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if !j.client.Stop(ctx) {
		return errors.New("backlite did not stop")
	}
	return nil
}
