package main

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"

	"weft"
)

// TestGrammar compares the commands that are built for a line with those that
// are built when all are.
func TestGrammar(t *testing.T) {
	t.Parallel()
	// usages are the leaves of a grammar with all that may follow them.
	usages := func(options []kong.Option) (all []string) {
		parser, err := kong.New(&struct{}{}, options...)
		if err != nil {
			t.Fatal(err)
		}
		for _, leaf := range parser.Model.Leaves(false) {
			var usage strings.Builder
			usage.WriteString(leaf.Path() + ": " + leaf.Summary())
			for _, group := range leaf.AllFlags(false) {
				for _, flag := range group {
					usage.WriteString(" " + flag.String())
				}
			}
			all = append(all, usage.String())
		}
		return all
	}
	compare := func(line, want []string) {
		if diff := cmp.Diff(want, usages(grammar(commands(), line))); diff != "" {
			t.Errorf("%q (-want +got):\n%s", line, diff)
		}
	}
	parser, err := kong.New(&struct{}{}, grammar(commands(), []string{""})...)
	if err != nil {
		t.Fatal(err)
	}
	groups := 0
	for _, command := range parser.Model.Children {
		whole := usages(grammar(commands(), []string{command.Name}))
		for _, alias := range command.Aliases {
			compare([]string{alias, "--json"}, whole)
		}
		compare([]string{command.Name, "no such command"}, whole)
		left := whole
		for _, sub := range command.Children {
			n := max(1, len(sub.Children))
			compare([]string{command.Name, sub.Name, "x"}, left[:n])
			left = left[n:]
			groups++
		}
	}
	if groups < 10 {
		t.Errorf("%d commands in groups: this tests nothing", groups)
	}
}

// TestEmptyValues gives every option of every command an empty value, which is refused
// unless the option is one of those for which it is a value. An option that is new is
// refused too, unless its tag says otherwise and it is added here.
func TestEmptyValues(t *testing.T) {
	t.Parallel()
	values := []string{
		"run --arg", "run --input", "run --detach-keys", "attach --detach-keys", "queue write <message>", "queue broadcast <message>",
	}
	parseLine := func(line []string) error {
		parser := newParser(&globals{}, commands(), line)
		_, _, err := parse(parser, line)
		return err
	}
	whole := newParser(&globals{}, commands(), []string{""})
	refused := 0
	check := func(what, name string, line []string) {
		err := parseLine(line)
		switch allowed := slices.Contains(values, what); {
		case allowed && err != nil:
			t.Errorf("%s: %q is refused: %v", what, line, err)
		case !allowed && err == nil:
			t.Errorf("%s: %q is taken", what, line)
		case !allowed && !strings.Contains(err.Error(), name):
			t.Errorf("%s: %q is refused for another reason: %v", what, line, err)
		case !allowed:
			refused++
		}
	}
	for _, leaf := range whole.Model.Leaves(true) {
		path := slices.DeleteFunc(strings.Fields(leaf.Path()), func(word string) bool { return word[0] == '(' }) // an alias
		var arguments []string
		for _, arg := range leaf.Positional {
			if arg.Required {
				arguments = append(arguments, "1")
			}
		}
		flags := slices.Concat(leaf.AllFlags(false)...)
		for _, flag := range flags {
			if flag.Required {
				arguments = append(arguments, "--"+flag.Name, "1")
			}
		}
		for _, flag := range flags {
			if flag.Name != "help" && !flag.IsBool() {
				name := "--" + flag.Name
				check(leaf.Path()+" "+name, name, slices.Concat(path, arguments, []string{name, ""}))
				check(leaf.Path()+" "+name, name, slices.Concat(path, arguments, []string{name + "="}))
			}
		}
		for i, arg := range leaf.Positional {
			if arg.Required || takesCommand(leaf.Name) || leaf.Name == "complete" {
				continue // a required one has no meaning when it is left out
			}
			given, name := slices.Repeat([]string{"1"}, i), "<"+arg.Name+">"
			check(leaf.Path()+" "+name, name, slices.Concat(path, given, []string{""}))
		}
	}
	if refused < 100 {
		t.Errorf("%d values were refused: this tests nothing", refused)
	}
}

// TestRunParameters holds every command to take in Run only what it can be given.
func TestRunParameters(t *testing.T) {
	t.Parallel()
	parser := newParser(&globals{}, commands(), []string{""})
	for _, leaf := range parser.Model.Leaves(false) {
		given := []reflect.Type{reflect.TypeFor[*app](), reflect.TypeFor[*weft.Project]()}
		target := leaf.Target.Addr()
		for method, value := range target.Methods() {
			if strings.HasPrefix(method.Name, "Provide") {
				given = append(given, value.Type().Out(0))
			}
		}
		run := target.MethodByName("Run")
		if !run.IsValid() {
			t.Errorf("%s has no method Run", leaf.Path())
			continue
		}
		for parameter := range run.Type().Ins() {
			if !slices.Contains(given, parameter) {
				t.Errorf("%s: nothing provides the %s of Run", leaf.Path(), parameter)
			}
		}
	}
}
