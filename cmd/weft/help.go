package main

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"weft/internal/function"
)

// helpText says of each command how it is used: a line "# queue read", and what
// follows it to the next one. {name} is what follows the line "# {name}". A line "# help
// exit-codes" begins a topic.
//
//go:embed help.txt
var helpText string

// section is what stands in the text behind a line, empty if there is no such line.
func section(name string) string {
	_, rest, _ := strings.Cut("\n"+helpText, "\n# "+name+"\n")
	text, _, _ := strings.Cut(rest, "\n# ")
	for name, part := range map[string]func() string{
		"{times}":    func() string { return section("{times}") },
		"{globs}":    func() string { return section("{globs}") },
		"{settings}": settingsText,
		"{fields}":   fieldsText,
	} {
		if strings.Contains(text, name) {
			text = strings.ReplaceAll(text, name, part())
		}
	}
	return strings.Trim(text, "\n")
}

// detail is what the text says of a command, empty for one that it does not name. A command
// that is found in two ways is named once.
func detail(command string) string {
	text := section(command)
	if short, isTask := strings.CutPrefix(command, "task "); text == "" && isTask {
		text = section(short)
	}
	if text == "" && command == "validate-taskspec" {
		text = section("spec validate")
	}
	return text
}

// topics are the names of what there is to explain beside commands.
func topics() (names []string) {
	for line := range strings.Lines(helpText) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "# help "); ok {
			names = append(names, name)
		}
	}
	return names
}

// path is what a command is called, "queue read".
func path(command *kong.Node) string {
	var names []string
	for ; command.Parent != nil; command = command.Parent {
		names = append(names, command.Name)
	}
	slices.Reverse(names)
	return strings.Join(names, " ")
}

// printHelp prints help. Kong would show options of run behind the command,
// where they are the command's own.
func printHelp(options kong.HelpOptions, ctx *kong.Context) error {
	selected := ctx.Selected()
	if selected == nil {
		if err := kong.DefaultHelpPrinter(options, ctx); err != nil {
			return err
		}
		_, err := fmt.Fprintf(ctx.Stdout, "\nTopics of weft help: %s.\n", strings.Join(topics(), ", "))
		return err
	}
	if text := detail(path(selected)); text != "" {
		selected.Detail = text + "\n"
	}
	if takesCommand(selected.Name) {
		options.NoAppSummary = true
		fmt.Fprintf(ctx.Stdout, "Usage: weft %s [flags] <command> [<args>]\n", selected.Name)
	}
	return kong.DefaultHelpPrinter(options, ctx)
}

type helpCmd struct {
	Topic []string `arg:"" optional:"" sep:"none" complete:"topic" help:"A command or a topic."`

	Man      string `xor:"what" placeholder:"DIR" complete:"folder" help:"Write manual pages into the folders man1 and man7 below this one instead."`
	Markdown bool   `xor:"what" hidden:"" help:"Print the help of every command, as a page."`
}

// Run explains a topic. What is a command never comes here.
func (c *helpCmd) Run(a *app) error {
	switch topic := strings.Join(c.Topic, " "); {
	case topic != "" && (c.Man != "" || c.Markdown):
		return usageError{"--man does not go with a topic: leave one out"}
	case c.Man != "":
		return writeManual(c.Man)
	case c.Markdown:
		return a.printReference()
	case slices.Contains(topics(), topic):
		text := section("help " + topic)
		return a.emit(object("topic", topic, "text", text), "%s\n", text)
	default:
		near := meantCommands("", topic)
		for _, name := range function.Near(topic, topics()) {
			near = append(near, "weft help "+name)
		}
		for i := range near {
			near[i] = "weft help " + strings.TrimPrefix(strings.TrimPrefix(near[i], "weft "), "help ")
		}
		if len(near) > 0 {
			return usageError{fmt.Sprintf("unknown command or topic %q: did you mean %s?", topic, alternatives(near))}
		}
		return usageError{fmt.Sprintf("unknown command or topic %q: see weft help; topics are %s", topic, alternatives(topics()))}
	}
}
