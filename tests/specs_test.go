package weft_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weft"
	"weft/taskspec"
)

// greet is a template that is not spelled as the library would spell it.
const greet = `{"spec": {"process_target": "echo", "type": "command"},
 "name": "greet", "description": "Says hello."}`

// newSpecs returns the specs of a new project, and the folder of their files.
func newSpecs(t *testing.T) (specs weft.SpecFolder, dir string) {
	t.Helper()
	p, err := weft.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p.Specs(), filepath.Join(p.Root(), ".weft", "tasks")
}

// names lists what a folder holds.
func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := []string{}
	for _, entry := range entries {
		all = append(all, entry.Name())
	}
	return all
}

func TestSpecs(t *testing.T) {
	t.Parallel()
	specs, dir := newSpecs(t)
	if all, err := specs.List(); err != nil || len(all) > 0 {
		t.Errorf("a new project has the specs %v, %v", all, err)
	}
	for _, name := range []string{"a.b", "a", "a-b"} {
		if err := specs.Create(name, strings.NewReader(greet)); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(filepath.Join(dir, "a.json"))
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Separator == '/' && info.Mode() != 0o600 {
		t.Errorf("the file has mode %v", info.Mode())
	}
	if document, err := specs.Read("a"); err != nil || string(document) != greet {
		t.Errorf("read %q, %v", document, err)
	}
	spec, err := specs.Load("a")
	want := &taskspec.Spec{Name: "greet", Description: "Says hello.", Work: taskspec.Work{Type: "command", ProcessTarget: "echo"}}
	if diff := cmp.Diff(want, spec); err != nil || diff != "" {
		t.Errorf("load: %v (-want +got):\n%s", err, diff)
	}
	if err := specs.Create("a", strings.NewReader(strings.ReplaceAll(greet, "greet", "other"))); !errors.Is(err, weft.ErrSpecExists) {
		t.Errorf("create again: %v", err)
	}
	if document, err := specs.Read("a"); err != nil || string(document) != greet {
		t.Errorf("after it was refused to be replaced: %q, %v", document, err)
	}
	if err := specs.Replace("a", strings.NewReader(strings.ReplaceAll(greet, "hello", "bye"))); err != nil {
		t.Errorf("replace: %v", err)
	}
	if err := specs.Replace("new", strings.NewReader(greet)); err != nil {
		t.Errorf("replace nothing: %v", err)
	}
	if err := specs.Delete("a-b"); err != nil {
		t.Errorf("delete: %v", err)
	}
	if err := specs.Delete("a-b"); !errors.Is(err, weft.ErrNoSpec) {
		t.Errorf("delete again: %v", err)
	}
	if _, err := specs.Load("a-b"); !errors.Is(err, weft.ErrNoSpec) {
		t.Errorf("load what is deleted: %v", err)
	}
	all, err := specs.List()
	wantList := []weft.StoredSpec{
		{Name: "a", Description: "Says bye.", Type: "command"},
		{Name: "a.b", Description: "Says hello.", Type: "command"},
		{Name: "new", Description: "Says hello.", Type: "command"},
	}
	if diff := cmp.Diff(wantList, all); err != nil || diff != "" {
		t.Errorf("list: %v (-want +got):\n%s", err, diff)
	}
	if diff := cmp.Diff([]string{"a.b.json", "a.json", "new.json"}, names(t, dir)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestSpecsRefuse(t *testing.T) {
	t.Parallel()
	specs, dir := newSpecs(t)
	for document, want := range map[string]string{
		`{`: "spec bad: not valid JSON: unexpected end of JSON input (byte 1)",
		`{"tid":"1","nam":"x","spec":{"type":"command","timeout":0,"delay_seconds":-1},"io":{"control":{"other":"c"}},"state":{}}`: "spec bad: nam: unknown field; " +
			"spec.timeout: must be more than 0 and at most 1000000000 seconds; " +
			"tid: not allowed in a template: it is set when the task is spawned; name: required; spec.process_target: required for a command; " +
			"spec.delay_seconds: must be from 0 to 1000000000 seconds; state: not allowed in a template: it is set when the task is spawned; io.control.other: not supported yet",
		strings.Repeat(" ", taskspec.MaxDocument) + greet: "spec bad: longer than 10485760 bytes",
	} {
		for _, store := range []func(weft.SpecFolder, string) error{
			func(f weft.SpecFolder, text string) error { return f.Create("bad", strings.NewReader(text)) },
			func(f weft.SpecFolder, text string) error { return f.Replace("bad", strings.NewReader(text)) },
		} {
			err := store(specs, document)
			if _, ok := errors.AsType[*taskspec.ValidationError](err); !ok || err.Error() != want {
				t.Errorf("%.60s:\n got %v\nwant %s", document, err, want)
			}
		}
	}
	for _, name := range []string{
		"", ".", "..", ".a", "-a", "a/b", "../a", "/a", `a\b`, "a b", "ä", "a\x00", "C:a", "a.json", strings.Repeat("a", 201),
	} {
		_, load := specs.Load(name)
		_, read := specs.Read(name)
		for _, err := range []error{
			load, read, specs.Delete(name),
			specs.Create(name, strings.NewReader(greet)), specs.Replace(name, strings.NewReader(greet)),
		} {
			if !errors.Is(err, weft.ErrSpecName) {
				t.Errorf("the name %q: %v", name, err)
			}
		}
	}
	if left := names(t, dir); len(left) > 0 {
		t.Errorf("what was refused left %v", left)
	}
	longest := strings.Repeat("a", 200)
	if err := specs.Create(longest, strings.NewReader(greet)); err != nil {
		t.Errorf("the longest name: %v", err)
	}
}

// Nothing outside the folder is read, written or removed, whatever links say.
func TestSpecsStayInside(t *testing.T) {
	t.Parallel()
	specs, dir := newSpecs(t)
	outside := filepath.Join(t.TempDir(), "secret.json")
	if err := os.WriteFile(outside, []byte(greet), 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link.json")
	if err := os.Symlink(outside, link); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	if spec, err := specs.Load("link"); err == nil {
		t.Errorf("loaded %v from outside", spec)
	}
	if spec, err := specs.Find("link"); err == nil {
		t.Errorf("found %v outside", spec)
	}
	if all, err := specs.List(); err != nil || len(all) != 1 || all[0].Err == nil {
		t.Errorf("list: %v, %v", all, err)
	}
	if err := specs.Create("link", strings.NewReader(greet)); !errors.Is(err, weft.ErrSpecExists) {
		t.Errorf("create: %v", err)
	}
	if err := specs.Replace("link", strings.NewReader(strings.ReplaceAll(greet, "hello", "bye"))); err != nil {
		t.Errorf("replace: %v", err)
	}
	if info, err := os.Lstat(link); err != nil || !info.Mode().IsRegular() {
		t.Errorf("the link was followed, not replaced: %v, %v", info, err)
	}
	if err := errors.Join(os.Remove(link), os.Symlink(outside, link), specs.Delete("link")); err != nil {
		t.Error(err)
	}
	if got, err := os.ReadFile(outside); err != nil || string(got) != greet {
		t.Errorf("the file outside became %q, %v", got, err)
	}

	// The folder itself may not be a way out either.
	if err := errors.Join(os.Remove(dir), os.Symlink(filepath.Dir(outside), dir)); err != nil {
		t.Fatal(err)
	}
	_, load := specs.Load("secret")
	_, list := specs.List()
	for what, err := range map[string]error{
		"load": load, "list": list, "delete": specs.Delete("secret"),
		"create": specs.Create("new", strings.NewReader(greet)), "replace": specs.Replace("secret", strings.NewReader(greet)),
	} {
		if err == nil || errors.Is(err, weft.ErrNoSpec) {
			t.Errorf("%s through a link in place of the folder: %v", what, err)
		}
	}
	if diff := cmp.Diff([]string{"secret.json"}, names(t, filepath.Dir(outside))); diff != "" {
		t.Errorf("files outside (-want +got):\n%s", diff)
	}
}

// The folder may be gone, or hold what is no spec.
func TestSpecsOfOddFolders(t *testing.T) {
	t.Parallel()
	specs, dir := newSpecs(t)
	for name, text := range map[string]string{"broken.json": "{", "notes.txt": "", ".hidden.json": greet, "a b.json": greet} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "folder.json"), 0o700); err != nil {
		t.Fatal(err)
	}
	all, err := specs.List()
	if err != nil || len(all) != 1 || all[0].Name != "broken" {
		t.Fatalf("list: %v, %v", all, err)
	}
	if _, ok := errors.AsType[*taskspec.ValidationError](all[0].Err); !ok {
		t.Errorf("the broken one: %v", all[0].Err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if all, err := specs.List(); err != nil || len(all) > 0 {
		t.Errorf("list without a folder: %v, %v", all, err)
	}
	if err := specs.Delete("a"); !errors.Is(err, weft.ErrNoSpec) {
		t.Errorf("delete without a folder: %v", err)
	}
	if err := specs.Create("a", strings.NewReader(greet)); err != nil {
		t.Errorf("create without a folder: %v", err)
	}

	var none weft.SpecFolder
	if _, err := none.Load("a"); !errors.Is(err, weft.ErrNoSpec) {
		t.Errorf("load from no project: %v", err)
	}
	if all, err := none.List(); err != nil || len(all) > 0 {
		t.Errorf("list of no project: %v, %v", all, err)
	}
	if err := none.Create("a", strings.NewReader(greet)); !errors.Is(err, weft.ErrNoProject) {
		t.Errorf("create in no project: %v", err)
	}
}

// Of many that store a spec under one name at once, one does, and nobody sees
// half of it.
func TestSpecsCreateAtOnce(t *testing.T) {
	t.Parallel()
	specs, dir := newSpecs(t)
	var created atomic.Int32
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			document := fmt.Sprintf(`{"name":"n%d","description":%q,"spec":{"type":"command","process_target":"a"}}`, i, strings.Repeat("x", 100_000))
			switch err := specs.Create("same", strings.NewReader(document)); {
			case err == nil:
				created.Add(1)
			case !errors.Is(err, weft.ErrSpecExists):
				t.Error(err)
			}
			if _, err := specs.Load("same"); err != nil {
				t.Errorf("it is there, but: %v", err)
			}
		})
	}
	all.Wait()
	if n := created.Load(); n != 1 {
		t.Errorf("%d have created it", n)
	}
	if diff := cmp.Diff([]string{"same.json"}, names(t, dir)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// Find tells names from paths as the documentation says. It looks at the
// current folder, so it does not run beside other tests.
func TestFindSpec(t *testing.T) {
	specs, _ := newSpecs(t)
	t.Chdir(t.TempDir())
	named := func(name string) string { return strings.ReplaceAll(greet, "greet", name) }
	for _, name := range []string{"both", "stored"} {
		if err := specs.Create(name, strings.NewReader(named("stored "+name))); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"both", "both.json", "file", "with space", "bad"} {
		text := named("file " + file)
		if file == "bad" {
			text = "{}"
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for nameOrPath, want := range map[string]string{
		"both": "stored both", "stored": "stored stored", "./both": "file both", "both.json": "file both.json",
		"file": "file file", "with space": "file with space",
	} {
		if spec, err := specs.Find(nameOrPath); err != nil || spec.Name != want {
			t.Errorf("%s is %v, %v, want %s", nameOrPath, spec, err, want)
		}
	}
	for nameOrPath, want := range map[string]string{
		"stored.json": "spec stored.json: no such spec: there is no such file",
		"./stored":    "spec ./stored: no such spec: there is no such file",
		"neither":     "spec neither: no such spec: none is stored under that name, and there is no such file",
		"":            "spec : no such spec: none is stored under that name, and there is no such file",
	} {
		if spec, err := specs.Find(nameOrPath); !errors.Is(err, weft.ErrNoSpec) || err.Error() != want {
			t.Errorf("%s is %v, %v, want %s", nameOrPath, spec, err, want)
		}
	}
	if _, err := specs.Find("bad"); err == nil || !strings.HasPrefix(err.Error(), "spec bad: name: required; ") {
		t.Errorf("a bad file: %v", err)
	}
	if _, err := specs.Find("./"); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder: %v", err)
	}
}
