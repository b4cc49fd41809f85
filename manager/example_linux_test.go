package manager_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"weft/broker"
	"weft/broker/sqlite"
	"weft/manager"
	"weft/taskspec"
)

// A program can be the manager of a project. Its consumers are the same program, which calls
// weft.Init first. A request is a message, and so is a result.
func ExampleRun() {
	if err := run(); err != nil {
		fmt.Println(err)
	}
	// Output:
	// hello
}

func run() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	root, err := os.MkdirTemp("", "project")
	if err != nil {
		return err
	}
	defer os.RemoveAll(root)
	dir := filepath.Join(root, ".weft")
	b, err := sqlite.Open(dir, sqlite.Options{})
	if err != nil {
		return err
	}
	defer b.Close()

	stop, ended := make(chan struct{}), make(chan error, 1)
	o := manager.Options{
		Root: root, Dir: dir, Broker: b, Durability: "full", MaxMessage: broker.MaxMessageBytes,
		Executable: "/proc/self/exe", Build: "test", Env: os.Environ(), Embedded: true, Stop: stop,
	}
	go func() { ended <- manager.Run(ctx, o) }()

	spec := taskspec.Spec{Name: "greet", Work: taskspec.Work{Type: taskspec.KindCommand, ProcessTarget: "echo", Args: []any{"hello"}}}
	request, err := spec.MarshalJSON()
	if err != nil {
		return err
	}
	tid, err := b.Queue("weft.spawn.requests").Write(ctx, string(request))
	if err != nil {
		return err
	}
	outbox := b.Queue("T" + tid.String() + ".outbox")
	if err := outbox.Wait(ctx); err != nil {
		return err
	}
	result, err := outbox.Read(ctx)
	fmt.Print(result.Body)
	close(stop)
	if err := <-ended; err != nil {
		return err
	}
	return err
}
