package taskspec_test

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	"weft/taskspec"
)

func ExampleDecode() {
	spec, err := taskspec.Decode([]byte(`{
		"name": "greet",
		"spec": {"type": "command", "process_target": "echo", "args": ["hello", 9007199254740993], "timeout": 30}
	}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	argv, _ := spec.Argv()
	fmt.Printf("%s: %q within %v\n", spec.Name, argv, spec.Timeout)

	_, err = taskspec.Decode([]byte(`{"name": "greet", "spec": {"Timeout": 30, "env": {"A": 1}}}`))
	fmt.Println(err)
	// Output:
	// greet: ["echo" "hello" "9007199254740993"] within 30s
	// spec.Timeout: unknown field (did you mean "timeout"?); spec.env.A: want a string, got a number
}

func ExampleDecodeValid() {
	rules := taskspec.Rules{Template: true, Cores: runtime.NumCPU()}
	_, err := taskspec.DecodeValid([]byte(`{"tid": "1", "spec": {"type": "command", "timeuot": 30}}`), rules)
	if invalid, ok := errors.AsType[*taskspec.ValidationError](err); ok {
		for _, problem := range invalid.Problems {
			fmt.Println(problem)
		}
	}
	// Output:
	// spec.timeuot: unknown field
	// tid: not allowed in a template: it is set when the task is spawned
	// name: required
	// spec.process_target: required for a command
}

func ExampleSpec_Validate() {
	spec := taskspec.Spec{
		Name: "greet",
		Work: taskspec.Work{Type: taskspec.KindCommand, ProcessTarget: "echo", Timeout: -time.Second},
	}
	fmt.Println(spec.Validate())
	// Output:
	// spec.timeout: must be more than 0 and at most 1000000000 seconds
}

func ExampleSpec_Resolve() {
	template := taskspec.Spec{
		Name: "greet",
		Work: taskspec.Work{Type: taskspec.KindCommand, ProcessTarget: "echo", Env: map[string]string{"TOKEN": "s3cret"}},
	}
	task := template.Resolve("1763740800000000000", "/home/me/project")
	fmt.Println(task.IO.Inputs["inbox"], *task.StopGrace, task.State.Status)
	fmt.Println(task.Redacted().Env)
	// Output:
	// T1763740800000000000.inbox 5s created
	// map[TOKEN:[redacted]]
}

func ExampleOutcome_Policy() {
	work := taskspec.Work{ReservedPolicyOnError: taskspec.PolicyRequeue}
	for _, end := range []taskspec.Outcome{
		taskspec.Exited(0, ""),
		taskspec.Exited(2, "usage: cp FROM TO\n"),
		taskspec.TimedOut(2 * time.Minute),
		taskspec.Stopped(),
	} {
		fmt.Printf("%s, %d, %q: %s the message\n", end.Status, *end.ReturnCode, end.Error, end.Policy(work))
	}
	// Output:
	// completed, 0, "": clear the message
	// failed, 2, "command exited with 2: usage: cp FROM TO": requeue the message
	// timeout, 124, "timed out after 2m": requeue the message
	// cancelled, 143, "stopped": keep the message
}

func ExampleCommandItem() {
	for _, body := range []string{"plain text", `{"stdin": "text", "args": ["-n", 3]}`, `{"some": "document"}`} {
		item, err := taskspec.CommandItem(body)
		fmt.Printf("stdin %q, args %q, %v\n", item.Stdin, item.Args, err)
	}
	// Output:
	// stdin "plain text", args [], <nil>
	// stdin "text", args ["-n" "3"], <nil>
	// stdin "{\"some\": \"document\"}", args [], <nil>
}
