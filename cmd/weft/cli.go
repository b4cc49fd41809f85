package main

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/alecthomas/kong"

	"weft"
)

// command is a command of the grammar, or a group of them. Its flags and
// arguments are the fields of a struct.
type command struct {
	name, alias, help string
	hidden            bool // it is for scripts
	args              any
}

// commands is the grammar.
func commands() []command {
	return []command{
		{name: "init", help: "Create a project.", args: &initCmd{}},
		{name: "run", help: "Run a command as a durable task.", args: &runCmd{}},
		{name: "batch", help: "Run a durable task for each line of standard input.", args: &batchCmd{}},
		{name: "attach", help: "Connect this terminal to that of a running task.", args: &attachCmd{}},
		{name: "status", help: "Show how the project and its tasks stand.", args: &statusCmd{}},
		ofTask("list"),
		{name: "result", help: "Print what a task wrote, and take its result.", args: &resultCmd{}},
		{name: "logs", help: "Print what tasks have written.", args: &logsCmd{}},
		{name: "wait", help: "Wait until tasks have ended.", args: &waitCmd{}},
		ofTask("stop"), ofTask("kill"), ofTask("pause"), ofTask("resume"), ofTask("retry"), ofTask("rm"),
		{name: "task", help: "Look at tasks, stop and kill them.", args: &taskCmd{}},
		{name: "spec", help: "Store, show and check descriptions of tasks.", args: &specCmd{}},
		{name: "validate-taskspec", help: "Check the description of a task.", args: &validateCmd{}},
		{name: "function", help: "List the functions of programs, and say how they are called.", args: &functionCmd{}},
		{name: "queue", help: "Write, read and manage queues.", args: &queueCmd{}},
		{name: "manager", alias: "worker", help: "Start and stop the process that runs the tasks.", args: &managerCmd{}},
		{name: "trust", help: "Let what came with a project run by itself.", args: &trustCmd{}},
		{name: "system", help: "Copy a project out and in, clear up, and look for what is wrong.", args: &systemCmd{}},
		{name: "help", help: "Explain a command, or a topic.", args: &helpCmd{}},
		{name: "version", help: "Show the version.", args: &versionCmd{}},
		{name: "completion", help: "Print the script with which a shell completes weft.", args: &completionCmd{}},
		{name: "complete", hidden: true, help: "Complete a line.", args: &completeCmd{}},
	}
}

// ofTask is a command of the group of tasks, to be found without the name of the group too.
func ofTask(name string) command {
	for field := range reflect.TypeFor[taskCmd]().Fields() {
		if strings.ToLower(field.Name) == name {
			return command{name: name, help: field.Tag.Get("help"), args: reflect.New(field.Type).Interface()}
		}
	}
	panic("weft task has no command " + name)
}

// globals are the flags of every command.
type globals struct {
	Context string `placeholder:"DIR" complete:"folder" help:"The folder that holds .weft (default: $WEFT_CONTEXT, else the nearest one upward)."`
	JSON    bool   `name:"json" help:"Print JSON: one object, or one object a line."`
	Color   string `enum:"auto,always,never" default:"auto" help:"Color text: auto, always or never."`
}

// app is what a command works with.
type app struct {
	globals
	stdin   *os.File
	stdout  *sink
	stderr  *os.File
	color   bool
	command string                 // that was given, without its arguments: "weft task stop"
	atQuit  atomic.Pointer[func()] // what to do before SIGQUIT ends the program
	// delivers: an answer that was not read to its end is a failure.
	delivers bool
	project  func() (*weft.Project, error) // opens the project, once
}

// execute runs the command that args name and returns the exit code.
func execute(args []string) int {
	a := &app{stdin: os.Stdin, stdout: &sink{file: os.Stdout, terminal: isTerminal(os.Stdout)}, stderr: os.Stderr}
	a.project = sync.OnceValues(func() (*weft.Project, error) { return a.open(nil) })
	survivePipe()
	a.leaveOnQuit()
	args = rewrite(args)
	parser := newParser(&a.globals, commands(), args)
	ctx, cur, err := parse(parser, args)
	if errors.Is(err, syscall.EPIPE) { // of help: its reader has seen enough
		return 0
	}
	if err != nil {
		a.JSON = slices.Contains(args[:cur.words], "--json") // it may not have come to that
		return a.report(usageError{err.Error()})
	}
	switch c := ctx.Selected().Target.Addr().Interface().(type) {
	case *runCmd:
		c.Command = args[cur.words:]
	case *batchCmd:
		c.Command = args[cur.words:]
	}
	given := slices.DeleteFunc(strings.Fields("weft "+ctx.Command()), func(word string) bool { return word[0] == '<' })
	a.command = strings.Join(given, " ")
	a.color = colored(a.Color, a.stdout.terminal)
	return a.report(a.run(ctx))
}

// A preparer is a command that looks at its options, and refuses what they say,
// before its project is opened.
type preparer interface{ prepare(a *app) error }

// run runs the selected command. Its method Run takes what it needs: the project,
// say, which must exist.
func (a *app) run(ctx *kong.Context) error {
	if c, ok := ctx.Selected().Target.Addr().Interface().(preparer); ok {
		if err := c.prepare(a); err != nil {
			return err
		}
	}
	if err := ctx.BindToProvider(a.project); err != nil {
		return err
	}
	return ctx.Run(a)
}

// rewrite is what a line means that asks for help, or for the version, in another way
// than this grammar does.
func rewrite(line []string) []string {
	switch {
	case len(line) == 0:
		return []string{"--help"}
	case line[0] == "help" && len(line) == 1:
		return []string{"--help"}
	case line[0] == "help" && isCommand(line[1]) && !(len(line) == 2 && slices.Contains(topics(), line[1])):
		return append(slices.Clone(line[1:]), "--help")
	case line[0] == "--version":
		return append([]string{"version"}, line[1:]...)
	}
	return line
}

// isCommand reports whether a word is the first one of a command.
func isCommand(word string) bool {
	return slices.ContainsFunc(commands(), func(c command) bool { return c.name == word || c.alias != "" && c.alias == word })
}

// newParser returns the parser of a line.
func newParser(flags *globals, all []command, line []string) *kong.Kong {
	return kong.Must(flags, append(slices.Concat(grammar(all, line), mappers()),
		kong.Name("weft"),
		kong.Description("Durable tasks and queues in one file. Begin with: weft run echo hello"),
		kong.ConfigureHelp(helpOptions(0)),
		kong.Help(printHelp),
	)...)
}

// parse reads a line, and returns the place where it ends, or where the user's command
// begins. Kong does not get that: it takes a time that grows with the square of the words
// that it passes through. What is wrong with the rest is said by [cursor.check], and
// of values by their mappers, so that no error of kong's own is shown.
//
// An empty value, of a shell's variable that is not set as a rule, is refused where there might
// be none: it would be as if nothing had been said, and select everything. Where an empty
// value is one, the tag "empty" says so.
func parse(parser *kong.Kong, line []string) (*kong.Context, *cursor, error) {
	cur := walk(parser.Model.Node, line)
	if err := cur.check(); err != nil {
		return nil, cur, err
	}
	ctx, err := parser.Parse(line[:cur.words])
	if err != nil {
		return nil, cur, err
	}
	for _, part := range ctx.Path {
		switch {
		case part.Flag != nil && isEmpty(part.Flag.Value):
			return nil, cur, fmt.Errorf("--%s: its value is empty: give one, or leave the option out", part.Flag.Name)
		case part.Positional != nil && isEmpty(part.Positional):
			return nil, cur, fmt.Errorf("<%s> is empty: %s", part.Positional.Name, wayOut(part.Positional))
		}
	}
	return ctx, cur, nil
}

// wayOut is what to do instead of giving an empty argument.
func wayOut(v *kong.Value) string {
	if v.Required {
		return "give a value"
	}
	return "give a value, or leave it out"
}

// isEmpty reports whether a value that was given is an empty text, or has one in
// it, where that is none.
func isEmpty(v *kong.Value) bool {
	if v.Tag.Has("empty") {
		return false
	}
	switch target := reflect.Indirect(v.Target); target.Kind() {
	case reflect.String:
		return target.Len() == 0
	case reflect.Slice:
		texts, _ := target.Interface().([]string)
		return target.Len() == 0 || slices.Contains(texts, "")
	}
	return false
}

// grammar adds the commands among which the line may choose. To build the
// others would take longer than most commands do.
func grammar(all []command, line []string) (options []kong.Option) {
	for _, c := range all {
		var tags []string
		if c.alias != "" {
			tags = []string{fmt.Sprintf("aliases:%q", c.alias)}
		}
		if c.hidden {
			tags = append(tags, `hidden:""`)
		}
		if chosen := line[0] == c.name || c.alias != "" && line[0] == c.alias; !chosen {
			options = append(options, kong.DynamicCommand(c.name, c.help, "", c.args, tags...))
			continue
		}
		if len(line) > 1 {
			c.args = narrow(c.args, line[1])
		}
		return []kong.Option{kong.DynamicCommand(c.name, c.help, "", c.args, tags...)}
	}
	return options
}

// narrow returns, of the group of commands that args points to, the one with
// this name as a group of its own. If there is none, or args has anything but
// commands, it returns args.
func narrow(args any, name string) any {
	chosen := args
	for field := range reflect.TypeOf(args).Elem().Fields() {
		if _, isCommand := field.Tag.Lookup("cmd"); !isCommand {
			return args
		}
		if strings.ToLower(field.Name) == name {
			chosen = reflect.New(reflect.StructOf([]reflect.StructField{field})).Interface()
		}
	}
	return chosen
}
