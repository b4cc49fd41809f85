package arch

import (
	"fmt"
	"go/token"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// A rule is something that holds for the source of the whole module.
type rule struct {
	name    string
	find    func(*module) []finding
	advice  string            // what to do about a finding
	allowed map[string]string // from the place of a finding to the reason it is right
}

// A finding is one place where the source breaks a rule.
type finding struct {
	place   string // "dir/file.go:Func", "dir.Type", a file or a folder
	pos     string // where to look: "dir/file.go:12"
	problem string
}

// at gives the file and line of pos.
func (m *module) at(pos token.Pos) string {
	p := m.fset.Position(pos)
	return fmt.Sprintf("%s:%d", p.Filename, p.Line)
}

func rules() []rule {
	return []rule{
		{"database named", databaseNamed,
			"Only broker/sqlite knows the database files: ask it. " +
				"A text for people, or a stat, goes into mayNameDatabase.",
			mayNameDatabase},
		{"database opened", databaseOpened,
			"Opening and closing a database file drops SQLite's locks in this process and loses acknowledged rows: " +
				"go through broker/sqlite, or keep the names of these files out of a function that opens others.",
			mayOpenDatabase},
		{"file touched", filesTouched,
			"Open files of a project's folder with internal/project, which follows no link and waits for no pipe. " +
				"What is elsewhere, or of another kind, goes into mayTouchFile.",
			mayTouchFile},
		{"sleep", sleeps,
			"Wait for an event (a channel, a bell, a pidfd, a context), or test in a synctest bubble. " +
				"Where the operating system gives no event, say so in maySleep.",
			maySleep},
		{"unimplemented", unimplemented, "Write it, or leave the function out.", nil},
		{"init", inits,
			"Make it a function that the caller calls, or a value that is computed where it is used.", nil},
		{"package name", vagueNames, "Name the package for the thing it holds.", nil},
		{"file length", longFiles, "Split it by noun or verb; a file has one reason to exist.", mayBeLong},
		{"coined word", coinedWords, "Say what the documentation of Go's standard library, or of a task queue, would say.", nil},
		{"root files", crowdedRoot, "The root shows the API. Move what is not part of it into a package; its tests go to tests/.", nil},
		{"internal shown", internalShown, "Name a type that other programs can use, or move the declaration into an internal package.",
			mayShowInternal},
		{"imports", wrongArrows, "Move the code, or pass what is needed as a parameter.", nil},
	}
}

func TestSource(t *testing.T) {
	t.Parallel()
	m, err := load(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rules() {
		t.Run(r.name, func(t *testing.T) {
			stale := maps.Clone(r.allowed)
			for _, f := range r.find(m) {
				if r.allowed[f.place] != "" {
					delete(stale, f.place)
					continue
				}
				t.Errorf("%s: %s (place %q)\n\t%s", f.pos, f.problem, f.place, r.advice)
			}
			for _, place := range slices.Sorted(maps.Keys(stale)) {
				t.Errorf("allowed_test.go excuses %q from the rule %q without need or without a reason: remove the entry",
					place, r.name)
			}
		})
	}
}

// TestRules shows to each rule what breaks it beside what does not.
func TestRules(t *testing.T) {
	t.Parallel()
	tests := []struct {
		rule  string
		files map[string]string
		want  []string // places
	}{
		{"database named", map[string]string{
			"broker/sqlite/s.go": "package sqlite\nconst File = `broker.db`\nfunc Path(dir string) string { return dir + File }",
			"a.go":               "package weft\nfunc f() { println(\"broker.db-wal\", \"withdraw-walrus\") }\n// broker.db\nfunc g() {}",
			"b/b.go":             "package b\nimport s \"weft/broker/sqlite\"\nfunc h() { _ = s.File }\nfunc i() { _ = s.Path(``) }\nfunc j() { _ = s.Open }",
			"c/c_test.go":        "package c\nvar wal = \"x-wal\"\nfunc k() { _ = wal }\nfunc l() { _ = k.wal }",
		}, []string{"a.go:f", "b/b.go:h", "b/b.go:i", "c/c_test.go:wal", "c/c_test.go:k"}},
		{"database opened", map[string]string{
			"broker/sqlite/s.go": "package sqlite\nimport \"os\"\nfunc open() { os.Open(\"broker.db\") }",
			"a.go":               "package weft\nimport \"os\"\nconst db = \"broker.db\"\nfunc f(r *os.Root) { r.OpenFile(db, 0, 0) }\nfunc g() { os.Stat(db) }",
			"b/b.go":             "package b\nimport \"os\"\nfunc (t *T) h() { p := \"broker.db\"; os.ReadFile(p) }\nfunc i() { os.ReadFile(\"x\") }",
			"c/c.go":             "package c\nimport \"weft\"\nfunc j() { weft.Open(\"broker.db\") }",
		}, []string{"a.go:f", "b/b.go:T.h"}},
		{"sleep", map[string]string{
			"a.go":      "package weft\nimport \"time\"\nvar wait = time.Sleep\nfunc f() { time.Now() }",
			"a_test.go": "package weft\nimport clock \"time\"\nfunc g() { clock.Sleep(1) }",
			"b_test.go": "package weft\nimport (\"time\"; \"testing/synctest\")\nfunc h() { synctest.Test(nil, func() { time.Sleep(1) }) }",
		}, []string{"a.go:wait", "a_test.go:g"}},
		{"file touched", map[string]string{
			"a.go":                  "package weft\nimport \"os\"\nfunc f() { os.ReadFile(`x`) }\nfunc g() { os.Lstat(`x`) }\nvar rename = os.Rename",
			"a_test.go":             "package weft\nimport \"os\"\nfunc h() { os.ReadFile(`x`) }",
			"internal/project/p.go": "package project\nimport \"os\"\nfunc Open() { os.OpenRoot(`x`) }",
			"manager/m.go":          "package manager\nimport \"golang.org/x/sys/unix\"\nfunc i() { unix.Open(`x`, 0, 0) }",
		}, []string{"a.go:f", "a.go:rename", "manager/m.go:i"}},
		{"unimplemented", map[string]string{
			"a.go": "package weft\nimport \"fmt\"\nfunc f() { panic(fmt.Sprintf(\"Not implemented: %d\", 1)) }\n" +
				"func g() { panic(`unimplemented`) }\nfunc h() { panic(\"weft: impossible state\") }",
		}, []string{"a.go:f", "a.go:g"}},
		{"init", map[string]string{
			"a.go":        "package weft\nfunc init() {}\nfunc (t T) init() {}",
			"a_test.go":   "package weft\nfunc init() {}",
			"cmd/main.go": "package main\nfunc init() {}",
		}, []string{"a.go:init"}},
		{"package name", map[string]string{
			"util/a.go":          "package text",
			"internal/x/a.go":    "package helpers",
			"internal/x/b.go":    "package helpers",
			"based/based.go":     "package based",
			"testdata/util/a.go": "package util",
			"bench/go.mod":       "module weft/bench",
			"bench/util/a.go":    "package util",
		}, []string{"internal/x", "util"}},
		{"file length", map[string]string{
			"a.go":      "package weft\n" + strings.Repeat("\n", 500),
			"b.go":      "package weft\n" + strings.Repeat("\n", 499),
			"a_test.go": "package weft\n" + strings.Repeat("\n", 500),
		}, []string{"a.go"}},
		{"coined word", map[string]string{
			"a.go":      "package weft\nfunc tenureOf() { string := 0; _ = string }\n// a bell\ntype TheBell int",
			"a_test.go": "package weft\nfunc bell() {}",
		}, []string{"a.go:TheBell", "a.go:tenureOf"}},
		{"root files", many(maxRootFiles + 1), []string{"."}},
		{"internal shown", map[string]string{
			"monitor/a.go": "package monitor\nimport \"weft/internal/proc\"\ntype Tree struct { First proc.Identity }\n" +
				"type Quiet struct { first proc.Identity }\nfunc F() []proc.Identity { return nil }\nfunc g() proc.Identity { return 0 }\n" +
				"func (q Quiet) H(func(proc.Identity)) {}\ntype I interface { M(proc.Identity) }\ntype A = proc.Identity\n" +
				"func K() { var _ proc.Identity }\nvar V proc.Identity\nconst C = proc.Number",
			"monitor/a_test.go": "package monitor\nimport \"weft/internal/proc\"\nfunc F() proc.Identity { return 0 }",
			"other/a.go":        "package other\nimport \"weft/internal/proc\"\nfunc F() proc.Identity { return 0 }",
		}, []string{"monitor/a.go:Tree", "monitor/a.go:F", "monitor/a.go:Quiet.H", "monitor/a.go:I", "monitor/a.go:A", "monitor/a.go:V"}},
		{"imports", map[string]string{
			"taskspec/a.go":          "package taskspec\nimport (\"strings\"; \"github.com/google/uuid\")",
			"taskspec/a_test.go":     "package taskspec\nimport \"weft/broker\"",
			"broker/a.go":            "package broker\nimport \"weft/internal/x\"",
			"internal/x/x.go":        "package x\nimport \"weft/runner\"",
			"runner/r.go":            "package runner\nimport \"weft/broker/sqlite\"",
			"broker/sqlite/s.go":     "package sqlite\nimport (_ \"modernc.org/sqlite\"; _ \"embed\")",
			"broker/brokertest/b.go": "package brokertest\nimport \"testing\"",
			"manager/m.go":           "package manager\nimport \"weft\"",
			"cmd/weft/main.go":       "package main\nimport \"weft\"",
			"monitor/m.go":           "package monitor\nimport (\"testing\"; \"C\")",
		}, []string{
			"weft/broker → weft/internal/x → weft/runner",
			"weft/broker → weft/internal/x → weft/runner → weft/broker/sqlite",
			"weft/broker → weft/internal/x → weft/runner → weft/broker/sqlite → modernc.org/sqlite",
			"weft/manager → weft",
			"weft/monitor → C",
			"weft/monitor → testing",
			"weft/runner → weft/broker/sqlite",
			"weft/taskspec → github.com/google/uuid",
		}},
	}
	tried := make(map[string]bool)
	for _, tt := range tests {
		tried[tt.rule] = true
		t.Run(tt.rule, func(t *testing.T) {
			t.Parallel()
			fsys := make(fstest.MapFS)
			for name, text := range tt.files {
				fsys[name] = &fstest.MapFile{Data: []byte(text)}
			}
			m, err := load(fsys)
			if err != nil {
				t.Fatal(err)
			}
			i := slices.IndexFunc(rules(), func(r rule) bool { return r.name == tt.rule })
			var got []string
			for _, f := range rules()[i].find(m) {
				got = append(got, f.place)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("places found (-want +got):\n%s", diff)
			}
		})
	}
	for _, r := range rules() {
		if !tried[r.name] {
			t.Errorf("nothing here breaks the rule %q", r.name)
		}
	}
}

// many are so many files in one folder.
func many(n int) map[string]string {
	files := make(map[string]string)
	for i := range n {
		files[fmt.Sprintf("f%d.go", i)] = "package weft"
	}
	return files
}
