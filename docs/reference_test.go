//go:build linux

package docs_test

import (
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"weft/taskspec"
)

var update = flag.Bool("update", false, "write the parts of pages that are made from the program")

// made is the part of a page between two marks, which is made from the program and
// not by hand.
const (
	madeBegin = "<!-- made by go test ./docs -update -->\n"
	madeEnd   = "<!-- end -->\n"
)

// checkMade compares the part of a page that is made with what it should be, or
// writes it.
func checkMade(t *testing.T, page, want string) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), madeBegin)
	got, after, ended := strings.Cut(rest, madeEnd)
	if !found || !ended {
		t.Fatalf("%s has no part between %q and %q", page, madeBegin, madeEnd)
	}
	if got == want {
		return
	}
	if !*update {
		t.Fatalf("%s is not what the program says: go test ./docs -update", page)
	}
	if err := os.WriteFile(page, []byte(before+madeBegin+want+madeEnd+after), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestCommandReference: cli.md holds the help of every command.
func TestCommandReference(t *testing.T) {
	bin := filepath.Join(t.TempDir(), "weft")
	buildWeft(t, bin)
	var page strings.Builder
	reference(t, &page, bin, nil)
	checkMade(t, "cli.md", page.String())
}

// subcommand is a line of help that names a command, as "  task stop  End tasks".
var subcommand = regexp.MustCompile(`(?m)^  ([a-z-]+(?: \([a-z]+\))?(?: [a-z-]+)*)  +[A-Z]`)

// reference writes the help of a command, and of those below it.
func reference(t *testing.T, page *strings.Builder, bin string, command []string) {
	t.Helper()
	cmd := exec.CommandContext(context.Background(), bin, slices.Concat(command, []string{"--help"})...)
	cmd.Env = append(os.Environ(), "COLUMNS=80")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("weft %s --help: %v", strings.Join(command, " "), err)
	}
	help, commands, _ := strings.Cut(string(out), "\nCommands:\n")
	if len(command) > 0 {
		fmt.Fprintf(page, "\n%s weft %s\n\n```text\n%s```\n", strings.Repeat("#", 1+len(command)), strings.Join(command, " "), withoutGlobals(help))
	}
	parent := strings.Join(command, " ")
	for _, line := range subcommand.FindAllStringSubmatch(commands, -1) {
		name := regexp.MustCompile(` \([a-z]+\)`).ReplaceAllString(line[1], "")
		path := strings.Fields(name)
		if !strings.HasPrefix(name, parent) || len(path) != len(command)+1 {
			t.Fatalf("command %q in the help of %q", name, parent)
		}
		reference(t, page, bin, path)
	}
}

// globalFlags are the flags of every command, which cli.md says once.
var globalFlags = regexp.MustCompile(`(?m)^  (-h, --help|    --(context|json|color)\b).*\n(      +[^ -].*\n)*`)

func withoutGlobals(help string) string {
	help = globalFlags.ReplaceAllString(help, "")
	help = strings.ReplaceAll(help, "\nFlags:\n\n", "\nFlags:\n")
	help = strings.TrimSuffix(strings.TrimRight(help, "\n"), "Flags:")
	return strings.TrimRight(help, "\n") + "\n"
}

// TestFieldReference: taskspec.md holds every field of the format.
func TestFieldReference(t *testing.T) {
	var root property
	if err := json.Unmarshal(taskspec.Schema(taskspec.Rules{}), &root); err != nil {
		t.Fatal(err)
	}
	var page strings.Builder
	page.WriteString("\n| field | type | default | |\n|---|---|---|---|\n")
	root.rows(&page, "")
	page.WriteString("\n")
	checkMade(t, "taskspec.md", page.String())
}

// A property is what the reference shows of a JSON Schema.
type property struct {
	Description      string
	Type             any
	Default          json.RawMessage
	Enum             []string
	Minimum, Maximum *float64
	Properties       map[string]property
	Required         []string
}

// rows writes a line for each field below p.
func (p property) rows(page *strings.Builder, prefix string) {
	names := slices.SortedFunc(maps.Keys(p.Properties), func(a, b string) int {
		leaf := func(name string) int { return min(len(p.Properties[name].Properties), 1) }
		return cmp.Or(cmp.Compare(leaf(a), leaf(b)), cmp.Compare(a, b))
	})
	for _, name := range names {
		f := p.Properties[name]
		byDefault := "`" + string(f.Default) + "`"
		switch {
		case slices.Contains(p.Required, name):
			byDefault = "required"
		case len(f.Default) == 0:
			byDefault = ""
		}
		about := f.Description
		if len(f.Enum) > 0 {
			about += " One of `" + strings.Join(f.Enum, "`, `") + "`."
		}
		fmt.Fprintf(page, "| `%s` | %s | %s | %s |\n", prefix+name, typeName(f.Type), byDefault, about)
		f.rows(page, prefix+name+".")
	}
}

// typeName is the type of a property, without null, which stands for its default.
func typeName(of any) string {
	switch of := of.(type) {
	case string:
		return of
	case []any:
		var names []string
		for _, name := range of {
			if text, isText := name.(string); isText && text != "null" {
				names = append(names, text)
			}
		}
		return strings.Join(names, " or ")
	}
	return ""
}
