package ledger

import (
	"encoding/json"
	"slices"

	"weft/taskspec"
)

// An Assignment is a task as its consumer runs it.
type Assignment struct {
	TID     string `json:"tid"`
	Epoch   int    `json:"epoch"`
	Name    string `json:"name"`
	Root    string `json:"root"`     // the project's root
	WeftDir string `json:"weft_dir"` // the project's folder
	// Work is that of the spec. A consumer gets it without what the fields below say.
	Work taskspec.Work `json:"work"`

	Function *FunctionCall `json:"function,omitempty"` // called instead of a command

	// Argv and the call are, of a persistent task, what all items share.
	Argv  []string `json:"argv"`
	Stdin string   `json:"stdin,omitempty"`
	Input string   `json:"input,omitempty"` // the name of an [InputFile] that holds the stdin instead
	Dir   string   `json:"dir"`             // where the command runs

	// Env is the key of the submitter's environment, to be read by [Environment]; empty for
	// a request written by hand, which gets the manager's. EnvBlock holds that environment,
	// packed, with the attributes of the submitter, if the consumer has not received it yet.
	// The variables of Work.Env are added to it. A function gets the environment of its
	// program, and the attributes.
	Env      string `json:"env,omitempty"`
	EnvBlock []byte `json:"env_block,omitempty"`

	ForNextStage bool   `json:"hands_on,omitempty"` // the output is the input of another task
	Inbox        string `json:"inbox,omitempty"`    // the queue of the items of a persistent task
	Item         *Item  `json:"-"`                  // set in the consumer's copy for one item

	MaxMessage int    `json:"max_message"`         // bytes
	OutputMB   int    `json:"output_mb,omitempty"` // of a task whose spec does not say it; 0 means no limit
	Durability string `json:"durability"`          // of the store, for a consumer without a manager
}

// A FunctionCall is a registered function and its arguments.
type FunctionCall struct {
	Name string `json:"name"`
	// Program is the file to execute, and Version identifies its build: a worker of another
	// build cannot be used.
	Program string        `json:"program"`
	Version string        `json:"host"`
	Call    taskspec.Call `json:"call"`
}

// ForItem returns the assignment of a persistent task for one item, or the outcome of an
// item that is not valid.
func (a *Assignment) ForItem(item *Item) (*Assignment, *taskspec.Outcome) {
	own := *a
	own.Item = item
	if a.Function != nil {
		call, err := a.Function.Call.With(item.Body)
		if err != nil {
			return &own, new(taskspec.Rejected(err.Error()))
		}
		f := *a.Function
		f.Call, own.Function = call, &f
		return &own, nil
	}
	work, err := taskspec.CommandItem(item.Body)
	if err != nil {
		return &own, new(taskspec.Rejected(err.Error()))
	}
	own.Argv, own.Stdin = append(slices.Clip(a.Argv), work.Args...), work.Stdin
	return &own, nil
}

// OutputFile returns the file of a stream that does not stay in memory.
func (a *Assignment) OutputFile(s Stream) string {
	if a.Item != nil {
		return ItemOutput(a.WeftDir, a.TID, a.Epoch, a.Item.Message, s)
	}
	return OutputFile(a.WeftDir, a.TID, a.Epoch, s)
}

// A rawAssignment is an Assignment in JSON, where values may hold any bytes that an
// operating system takes. Its fields replace those of the same name.
type rawAssignment struct {
	*plainAssignment
	Root    taskspec.RawString            `json:"root"`
	WeftDir taskspec.RawString            `json:"weft_dir"`
	Work    taskspec.Work                 `json:"work"`
	Argv    []taskspec.RawString          `json:"argv"`
	Dir     taskspec.RawString            `json:"dir"`
	Stdin   taskspec.RawString            `json:"stdin,omitempty"`
	Over    map[string]taskspec.RawString `json:"over,omitempty"`
}

type plainAssignment Assignment

// MarshalJSON writes the assignment, with times in nanoseconds.
func (a *Assignment) MarshalJSON() ([]byte, error) {
	v := rawAssignment{
		(*plainAssignment)(a), taskspec.RawString(a.Root), taskspec.RawString(a.WeftDir), a.Work, taskspec.RawStrings(a.Argv),
		taskspec.RawString(a.Dir), taskspec.RawString(a.Stdin), taskspec.RawEnv(a.Work.Env),
	}
	w := &v.Work
	w.ProcessTarget, w.FunctionTarget, w.WorkingDir, w.WeftContext, w.Key = "", "", "", "", ""
	w.Args, w.KeywordArgs, w.Env, w.EnvFrom = nil, nil, nil, nil
	return json.Marshal(v)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (a *Assignment) UnmarshalJSON(data []byte) error {
	v := rawAssignment{plainAssignment: (*plainAssignment)(a)}
	if err := json.Unmarshal(data, &v); err != nil {
		return err
	}
	a.Root, a.WeftDir, a.Work, a.Argv = string(v.Root), string(v.WeftDir), v.Work, taskspec.PlainStrings(v.Argv)
	a.Dir, a.Stdin, a.Work.Env = string(v.Dir), string(v.Stdin), taskspec.PlainEnv(v.Over)
	return nil
}

type rawCall struct {
	*plainCall
	Program taskspec.RawString `json:"program"`
	Host    taskspec.RawString `json:"host"`
}

type plainCall FunctionCall

// MarshalJSON writes the call.
func (f *FunctionCall) MarshalJSON() ([]byte, error) {
	return json.Marshal(rawCall{(*plainCall)(f), taskspec.RawString(f.Program), taskspec.RawString(f.Version)})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (f *FunctionCall) UnmarshalJSON(data []byte) error {
	v := rawCall{plainCall: (*plainCall)(f)}
	err := json.Unmarshal(data, &v)
	f.Program, f.Version = string(v.Program), string(v.Host)
	return err
}
