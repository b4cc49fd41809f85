package main

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// helpText says of each command how it is used: a line "# queue read", and what
// follows it to the next one. {name} is what follows the line "# {name}".
//
//go:embed help.txt
var helpText string

// detail is what the text says of a command, empty for one that it does not name.
func detail(command string) string {
	_, rest, _ := strings.Cut("\n"+helpText, "\n# "+command+"\n")
	text, _, _ := strings.Cut(rest, "\n# ")
	for _, name := range []string{"{times}", "{globs}"} {
		if strings.Contains(text, name) {
			text = strings.ReplaceAll(text, name, detail(name))
		}
	}
	return strings.Trim(text, "\n")
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
	if selected != nil {
		if text := detail(path(selected)); text != "" {
			selected.Detail = text + "\n"
		}
	}
	if selected != nil && takesCommand(selected.Name) {
		options.NoAppSummary = true
		fmt.Fprintf(ctx.Stdout, "Usage: weft %s [flags] <command> [<args>]\n", selected.Name)
	}
	return kong.DefaultHelpPrinter(options, ctx)
}
