//go:build linux

package docs_test

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"weft/internal/settings"
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
	cmd := exec.CommandContext(t.Context(), bin, "help", "--markdown")
	cmd.Env = append(os.Environ(), "COLUMNS=80")
	page, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	checkMade(t, "cli.md", string(page))
}

// TestSettingsReference: configuration.md holds every setting.
func TestSettingsReference(t *testing.T) {
	var page strings.Builder
	page.WriteString("\n| `config.json` | environment | `weft.Options` | default | |\n|---|---|---|---|---|\n")
	for _, s := range settings.Table() {
		fmt.Fprintf(&page, "| `%s` | `%s` | `%s` | %s | %s |\n", s.Key, s.Variable(), s.Option, s.Default, s.About)
	}
	page.WriteString("\n")
	checkMade(t, "configuration.md", page.String())
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
