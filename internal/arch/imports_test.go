package arch

import (
	"os"
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// An arrow is a direction in which packages must not depend.
type arrow struct {
	from, never func(importPath string) bool
	direct      bool   // only the package's own imports count
	why         string // completes "X must not import Y: …"
}

// arrows says what the diagram in the design says:
// cmd → weft → manager → internal/consumer → {internal/attempt, monitor, broker, taskspec}.
func arrows() []arrow {
	root := in("weft")
	outer := in("weft/cmd/...", "weft/examples/...", "weft/bench/...")
	return []arrow{
		{from: not(anyOf(outer, testOnly)), never: root,
			why: "the root package is for programs and tests"},
		{from: not(outer), never: outer,
			why: "programs are not libraries"},
		{from: in("weft/manager/..."), never: root,
			why: "the root is built on the manager"},
		{from: in("weft/internal/consumer/..."), never: in("weft/manager/..."),
			why: "the manager drives the consumers"},
		{from: in("weft/runner/...", "weft/internal/attempt"), never: in("weft/manager/...", "weft/internal/consumer/...", "weft/broker/...", "weft/internal/ledger"),
			why: "a command runs without a manager and without a store"},
		{from: in("weft/monitor/..."), never: in("weft/manager/...", "weft/internal/consumer/...", "weft/runner/...", "weft/internal/attempt"),
			why: "an attempt drives the monitor"},
		{from: in("weft/broker/..."), never: in("weft/manager/...", "weft/runner/...", "weft/monitor/...", "weft/taskspec/..."),
			why: "the broker knows no tasks"},
		{from: in("weft/broker"), never: in("weft/broker/sqlite/...", "modernc.org/...", "github.com/jmoiron/..."),
			why: "the broker knows no driver"},
		{from: in("weft/taskspec/...", "weft/internal/schema"), never: not(anyOf(standard, in("weft/taskspec/...", "weft/internal/schema"))),
			why: "taskspec and schema need the standard library only"},
		{from: not(anyOf(in("weft/broker/sqlite/..."), outer)), never: in("modernc.org/...", "github.com/jmoiron/..."), direct: true,
			why: "only broker/sqlite talks to SQLite"},
		{from: not(testOnly), never: anyOf(testOnly, in("testing/...", "github.com/google/go-cmp/...", "go.uber.org/goleak/...",
			"pgregory.net/rapid/...", "github.com/rogpeppe/go-internal/...", "github.com/santhosh-tekuri/jsonschema/...")), direct: true,
			why: "only tests, and packages named …test, use what is made for tests"},
		{from: not(in()), never: in("C"), direct: true,
			why: "the product is built without cgo"},
	}
}

// in matches the import paths listed; a path that ends in /... stands for
// itself and all below it.
func in(paths ...string) func(string) bool {
	return func(p string) bool {
		return slices.ContainsFunc(paths, func(pattern string) bool {
			tree, ok := strings.CutSuffix(pattern, "/...")
			return p == tree || ok && strings.HasPrefix(p, tree+"/")
		})
	}
}

func not(match func(string) bool) func(string) bool {
	return func(p string) bool { return !match(p) }
}

func anyOf(matches ...func(string) bool) func(string) bool {
	return func(p string) bool {
		return slices.ContainsFunc(matches, func(match func(string) bool) bool { return match(p) })
	}
}

// standard matches the packages that come with Go.
func standard(p string) bool {
	first, _, _ := strings.Cut(p, "/")
	return first != modulePath && !strings.Contains(first, ".")
}

// testOnly matches the packages that exist for tests, by their name.
func testOnly(p string) bool {
	return strings.HasPrefix(p, modulePath+"/") && strings.HasSuffix(path.Base(p), "test")
}

// wrongArrows finds packages that depend, without their tests and on any
// system, on what an arrow forbids. The place is the chain of imports.
func wrongArrows(m *module) []finding {
	imports := make(map[string][]string)
	for _, s := range m.files {
		if s.isTest() {
			continue
		}
		pkg := s.importPath()
		for _, spec := range s.syntax.Imports {
			imports[pkg] = append(imports[pkg], unquote(spec.Path))
		}
	}
	found := make(map[string]finding)
	for pkg := range imports {
		for target, chain := range reach(imports, pkg) {
			for _, a := range arrows() {
				if a.from(pkg) && a.never(target) && (len(chain) == 2 || !a.direct) {
					place := strings.Join(chain, " → ")
					found[place] = finding{place, pkg, pkg + " must not import " + target + ": " + a.why}
				}
			}
		}
	}
	return sorted(found)
}

// reach gives what pkg depends on, each with the shortest chain of imports
// from pkg to it. It follows the packages of the module only.
func reach(imports map[string][]string, pkg string) map[string][]string {
	chains := make(map[string][]string)
	for queue := [][]string{{pkg}}; len(queue) > 0; queue = queue[1:] {
		chain := queue[0]
		next := slices.Sorted(slices.Values(imports[chain[len(chain)-1]]))
		for _, p := range next {
			if chains[p] == nil && p != pkg {
				chains[p] = append(slices.Clone(chain), p)
				queue = append(queue, chains[p])
			}
		}
	}
	return chains
}

// TestLinked keeps out of cmd/weft what costs a client its start-up time, or
// belongs to tests, on every system.
func TestLinked(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("../../cmd/weft"); err != nil {
		t.Skipf("no command yet: %v", err)
	}
	heavy := in("net/http", "text/template", "html/template", "testing", "expvar",
		"github.com/google/go-cmp/...", "go.uber.org/goleak/...", "pgregory.net/rapid/...")
	for _, system := range []string{"linux", "darwin", "windows"} {
		t.Run(system, func(t *testing.T) {
			t.Parallel()
			list := goList(t, []string{"GOOS=" + system, "CGO_ENABLED=0"},
				"-deps", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "weft/cmd/weft")
			for line := range strings.Lines(list) {
				fields := strings.Fields(line)
				for _, p := range fields[1:] {
					if heavy(p) {
						t.Errorf("cmd/weft links %s, imported by %s: find a smaller way, or a dependency without it",
							p, fields[0])
					}
				}
			}
		})
	}
}

// TestLibcPin compares the versions of modernc.org/libc that the module and
// SQLite's own go.mod ask for. SQLite was translated for exactly that one.
func TestLibcPin(t *testing.T) {
	t.Parallel()
	const format = "{{.Version}} {{.GoMod}}"
	sqlite := strings.Fields(goList(t, nil, "-m", "-f", format, "modernc.org/sqlite"))
	libc := strings.Fields(goList(t, nil, "-m", "-f", format, "modernc.org/libc"))
	text, err := os.ReadFile(sqlite[1])
	if err != nil {
		t.Fatal(err)
	}
	match := regexp.MustCompile(`modernc\.org/libc (v\S+)`).FindSubmatch(text)
	if match == nil {
		t.Fatalf("modernc.org/sqlite %s does not require modernc.org/libc in %s", sqlite[0], sqlite[1])
	}
	if want := string(match[1]); libc[0] != want {
		t.Errorf("modernc.org/libc is %s, but modernc.org/sqlite %s wants exactly %s: go get modernc.org/libc@%[3]s",
			libc[0], sqlite[0], want)
	}
}

// goList runs go list at the root of the module, with env added.
func goList(t *testing.T, env []string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list"}, args...)...)
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = t.Output()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list %s: %v", strings.Join(args, " "), err)
	}
	return string(out)
}
