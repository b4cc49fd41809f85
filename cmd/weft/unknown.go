package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"weft/internal/function"
)

// otherWords are what other programs call what this one calls otherwise: a command of the
// same group, or else the whole path of one.
func otherWords() map[string][]string {
	return map[string][]string{
		"ps": {"status", "list"}, "ls": {"list"}, "jobs": {"list"}, "top": {"status"}, "info": {"status"}, "tasks": {"list"},
		"log": {"logs"}, "tail": {"logs"}, "output": {"result"},
		"start": {"run"}, "exec": {"run"}, "submit": {"run"}, "add": {"run", "create"}, "enqueue": {"queue write"},
		"cancel": {"stop"}, "abort": {"stop"}, "end": {"stop"}, "terminate": {"stop"}, "suspend": {"pause"}, "continue": {"resume"}, "unpause": {"resume"},
		"restart": {"retry"}, "rerun": {"retry"}, "fg": {"attach"}, "inspect": {"task status", "show"}, "show": {"task status"}, "describe": {"task status", "show"},
		"rm": {"delete", "remove", "system tidy"}, "clean": {"system tidy"}, "prune": {"system tidy"},
		"mv": {"move", "rename"}, "cat": {"show", "read", "logs"}, "push": {"write", "queue write"}, "send": {"write", "queue write"},
		"pop": {"read", "queue read"}, "receive": {"read", "queue read"}, "new": {"create", "init"},
		"backup": {"system dump"}, "export": {"system dump"}, "restore": {"system load"}, "import": {"system load"}, "daemon": {"manager serve"},
	}
}

// unknownCommand says that a group has no such command, and which may be meant.
func unknownCommand(group, word string) string {
	unknown := fmt.Sprintf("unknown command %q", word)
	if group != "" {
		unknown += " of weft " + group
	}
	if meant := meantCommands(group, word); len(meant) > 0 {
		return fmt.Sprintf("%s: did you mean %s?", unknown, alternatives(meant))
	}
	return fmt.Sprintf("%s: see weft help%s", unknown, behind(group))
}

// meantCommands are the commands that may be meant by a word behind a group, at most three:
// those that are called so elsewhere, or otherwise here, or nearly so.
func meantCommands(group, word string) (meant []string) {
	root := newParser(&globals{}, commands(), []string{""}).Model.Node // with all commands
	var all []string
	_ = eachCommand(root, func(node *kong.Node) error {
		all = append(all, path(node))
		return nil
	})
	add := func(command string) {
		if slices.Contains(all, command) && len(meant) < 3 && !slices.Contains(meant, "weft "+command) {
			meant = append(meant, "weft "+command)
		}
	}
	if word = strings.ToLower(word); word == "" {
		return nil
	}
	in := func(name string) string { return strings.TrimSpace(group + " " + name) }
	add(in(word))
	for _, name := range otherWords()[word] {
		if slices.Contains(all, in(name)) {
			add(in(name))
		} else {
			add(name)
		}
	}
	if len(meant) > 0 && group != "" {
		return meant
	}
	for _, command := range all {
		if command == word || strings.HasSuffix(command, " "+word) {
			add(command)
		}
	}
	if len(meant) > 0 {
		return meant
	}
	var siblings []string
	for _, command := range all {
		name, inGroup := strings.CutPrefix(command, group)
		if name = strings.TrimSpace(name); inGroup && name != "" && !strings.Contains(name, " ") {
			siblings = append(siblings, name)
		}
	}
	for _, name := range function.Near(word, siblings) {
		add(in(name))
	}
	return meant
}

// nearFlags says which flags of the command may be meant by a name.
func (c *cursor) nearFlags(name string) string {
	var names []string
	for _, flag := range slices.Concat(c.node.AllFlags(true)...) {
		names = append(names, flagNames(flag)...)
	}
	near := function.Near(name, names)
	if name == "" || len(near) == 0 {
		return "see weft help" + behind(path(c.node))
	}
	for i := range near {
		near[i] = "--" + near[i]
	}
	return "did you mean " + alternatives(near) + "?"
}
