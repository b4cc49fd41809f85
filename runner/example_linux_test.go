package runner_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"weft/runner"
)

// A command, with its input and its output. Nothing of it is left when Run returns, also of
// what runs in the background.
func ExampleTaskRunner() {
	res := runner.TaskRunner{
		Args:  []string{"sh", "-c", "setsid sleep 600 & tr a-z A-Z; echo no luck >&2; exit 3"},
		Stdin: strings.NewReader("hello\n"),
	}.Run(context.Background())
	fmt.Printf("%s%s\n", res.Stdout, res.Outcome.Error)
	// Output:
	// HELLO
	// command exited with 3: no luck
}

// A timeout ends a command with everything that it has started.
func ExampleTaskRunner_timeout() {
	res := runner.TaskRunner{
		Args:    []string{"sh", "-c", "sleep 600 & wait"},
		Stdout:  os.Stdout,
		Timeout: 50 * time.Millisecond,
		Grace:   5 * time.Second,
	}.Run(context.Background())
	fmt.Println(res.Outcome.Status)
	// Output:
	// timeout
}
