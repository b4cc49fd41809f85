package ledger

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"weft/broker"
	"weft/broker/sqlite"
	"weft/internal/function"
	"weft/taskspec"
)

// host records a program with these functions.
func (p *project) host(path string, inode uint64, names ...string) *Program {
	p.Helper()
	var functions []function.Description
	for _, name := range names {
		functions = append(functions, function.Description{Name: name, Description: "of " + path})
	}
	h, err := NewProgram(path, function.Stamp{Size: 1, Inode: inode}, "build", functions)
	if err != nil {
		p.Fatal(err)
	}
	p.update(func(tx *broker.Tx) error { return PutProgram(tx, h, at) })
	return h
}

// known is the functions of the project, each with its program, and the programs.
func (p *project) known() (functions, hosts []string) {
	p.Helper()
	err := p.b.View(ctx, func(r broker.Reader) error {
		all, err := Functions(r)
		if err != nil {
			return err
		}
		for _, f := range all {
			var line strings.Builder
			line.WriteString(f.Name)
			for _, other := range f.Programs {
				line.WriteString(" " + other.Path)
			}
			functions = append(functions, line.String())
			if one, err := FindFunction(r, f.Name); err != nil || one.Programs[0].Path != f.Programs[0].Path || one.Description.Description != "of "+f.Programs[0].Path {
				p.Errorf("%s is %+v, %v", f.Name, one, err)
			}
		}
		known, err := Programs(r)
		for _, h := range known {
			var names []string
			for _, f := range h.Functions {
				names = append(names, f.Name)
			}
			hosts = append(hosts, h.Path+" "+strings.Join(names, ","))
		}
		slices.Sort(hosts)
		return err
	})
	if err != nil {
		p.Fatal(err)
	}
	return functions, hosts
}

// TestHosts records programs that come, change, share names and go.
func TestHosts(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	for _, step := range []struct {
		name             string
		do               func()
		functions, hosts []string
	}{
		{"one", func() { p.host("/a", 1, "f", "g") }, []string{"f /a", "g /a"}, []string{"/a f,g"}},
		{"changed", func() { p.host("/a", 2, "g", "h") }, []string{"g /a", "h /a"}, []string{"/a g,h"}},
		{"another", func() { p.host("/b", 3, "h", "i") }, []string{"g /a", "h /b /a", "i /b"}, []string{"/a g,h", "/b h,i"}},
		{"back", func() { p.host("/a", 2, "g", "h") }, []string{"g /a", "h /a /b", "i /b"}, []string{"/a g,h", "/b h,i"}},
		{"all of another", func() { p.host("/c", 4, "i") }, []string{"g /a", "h /a /b", "i /c /b"}, []string{"/a g,h", "/b h,i", "/c i"}},
		{"none left", func() { p.host("/c", 5) }, []string{"g /a", "h /a /b", "i /b"}, []string{"/a g,h", "/b h,i"}},
		{"too many", func() {
			for i := range maxPrograms {
				p.host(fmt.Sprintf("/build%d", i), 6, "i")
			}
		}, []string{"g /a", "h /a /b", "i /build3 /build2 /build1 /build0"}, []string{"/a g,h", "/b h", "/build0 i", "/build1 i", "/build2 i", "/build3 i"}},
		{"builds removed", func() {
			for i := range maxPrograms {
				p.update(func(tx *broker.Tx) error { return RemoveProgram(tx, fmt.Sprintf("/build%d", i)) })
			}
		}, []string{"g /a", "h /a /b"}, []string{"/a g,h", "/b h"}},
		{"the second removed", func() { p.update(func(tx *broker.Tx) error { return RemoveProgram(tx, "/b") }) }, []string{"g /a", "h /a"}, []string{"/a g,h"}},
		{"removed", func() { p.update(func(tx *broker.Tx) error { return RemoveProgram(tx, "/a") }) }, nil, nil},
	} {
		step.do()
		functions, hosts := p.known()
		if !slices.Equal(step.functions, functions) || !slices.Equal(step.hosts, hosts) {
			t.Errorf("%s: got %q, %q; want %q, %q", step.name, functions, hosts, step.functions, step.hosts)
		}
	}
	if err := p.try(func(tx *broker.Tx) error { return RemoveProgram(tx, "/a") }); !errors.Is(err, broker.ErrNotFound) {
		t.Errorf("removed twice: %v", err)
	}
}

// TestKnown writes nothing for a program that is recorded as it is.
func TestKnown(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	known := func(h *Program) (is bool) {
		err := p.b.View(ctx, func(r broker.Reader) (err error) {
			is, err = h.Known(r)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return is
	}
	h := p.host("/a", 1, "f")
	if !known(h) {
		t.Error("it is not known")
	}
	newer := *h
	newer.Stamp.Modified++
	p.host("/b", 1, "f")
	if known(&newer) || !known(h) {
		t.Error("it is known although it has changed, or not because another has its function")
	}
}

// TestPrepareFunction makes a request for a function ready.
func TestPrepareFunction(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	p.host("/a", 1, "f")
	spec := func(s *taskspec.Spec) {
		s.Work = taskspec.Work{Type: taskspec.KindFunction, FunctionTarget: "f", Args: []any{1}, EnvFrom: []string{"A", "B"}, Env: map[string]string{"B": "spec"}}
	}
	tid := p.submission(Submission{Spec: echo(spec), Item: `{"args":["x"]}`, Dir: p.root, Env: EncodeEnv([]string{"A=1", "B=2", "C=3"})})
	j := p.prepare(tid)
	if j.Refused() != "" || j.Function == nil || j.Function.Name != "f" || len(j.Programs) != 1 || j.Programs[0].Path != "/a" || len(j.Function.Call.Args) != 1 || string(j.Function.Call.Args[0]) != `"x"` {
		t.Errorf("job is %+v", j)
	}
	if j.Env != p.task(tid).Env || j.Argv != nil || !maps.Equal(j.Work.Env, map[string]string{"A": "1", "B": "spec"}) || strings.Contains(string(j.Spec), `"A"`+":") {
		t.Errorf("a function gets the environment %q %v and argv %q", j.Env, j.Work.Env, j.Argv)
	}
	p.update(func(tx *broker.Tx) error { return RemoveProgram(tx, "/a") })
	if j := p.prepare(tid); !strings.HasPrefix(j.Refused(), "function f is not known here: ") {
		t.Errorf("refused: %q", j.Refused())
	}
	j = p.prepare(tid)
	p.update(func(tx *broker.Tx) error { return Refuse(tx, j, at) })
}
