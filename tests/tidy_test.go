//go:build linux

package weft_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"weft"
	"weft/broker"
	"weft/internal/ledger"
	"weft/taskspec"
)

// tidy tidies the project.
func (p *project) tidy(o weft.TidyOptions) weft.TidyReport {
	p.t.Helper()
	r, err := p.open().System().Tidy(p.ctx, o)
	if err != nil {
		p.t.Fatal(err)
	}
	return r
}

// outputs are the names in the folder of the outputs.
func (p *project) outputs() (names []string) {
	p.t.Helper()
	entries, err := os.ReadDir(filepath.Join(p.dir, ledger.Dir, ledger.OutputDir))
	if err != nil {
		p.t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestTidyBesideTasks tidies while tasks write what does not fit a message: not
// a byte of it may go before its task does.
func TestTidyBesideTasks(t *testing.T) {
	t.Parallel()
	const tasks, size, errSize = 3, 30_000_000, 200_000
	p := newProject(t)
	var tids []string
	u := p.user()
	for range tasks {
		u.call(call{Do: "submit", Spec: shell(`head -c "$1" /dev/zero >&2; head -c "$2" /dev/zero`, "200000", "30000000")})
		tids = append(tids, u.accepted())
	}
	rounds := 0
	for ; rounds == 0 || len(p.tasks(taskspec.Unfinished()...)) > 0; rounds++ {
		if p.ctx.Err() != nil {
			t.Fatal("the tasks do not end")
		}
		p.tidy(weft.TidyOptions{})
	}
	t.Logf("tidied %d times meanwhile", rounds)
	p.tidy(weft.TidyOptions{})
	for _, tid := range tids {
		task, err := p.open().Task(p.ctx, tid)
		if err != nil {
			t.Fatal(err)
		}
		var out, errs count
		s, err := task.Output(p.ctx, &out, &errs)
		if err != nil || s.Status != taskspec.StatusCompleted || out != size || errs != errSize {
			t.Errorf("%d and %d bytes of task %s: %+v, %v", out, errs, tid, s, err)
		}
	}
	if r := p.tidy(weft.TidyOptions{All: true}); r.Tasks != tasks || r.Files != 2*tasks || r.FileBytes != tasks*(size+errSize) {
		t.Errorf("%d files with %d bytes were removed", r.Files, r.FileBytes)
	}
	if left := p.outputs(); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestTidyFiles removes the files that are not needed, and touches nothing else.
func TestTidyFiles(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	c, tid := p.run(shell("echo done"))
	c.line()
	if _, err := p.open().Manager().Stop(p.ctx); err != nil {
		t.Fatal(err)
	}
	p.vanish()

	folder := filepath.Join(p.dir, ledger.Dir, ledger.OutputDir)
	outside := filepath.Join(p.dir, "outside")
	put := func(path string) {
		if err := os.WriteFile(path, []byte("12345"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	old, young := strings.Repeat("0", 32)+".in", strings.Repeat("1", 32)+".in"
	spent := []string{tid + ".1.out", tid + ".1.err", tid + ".7.out", "1790000000000000000.1.out", old}
	unknown := []string{"notes.txt", tid + ".out", "x.in"}
	for _, name := range slices.Concat(spent, unknown, []string{young}) {
		put(filepath.Join(folder, name))
	}
	yesterday := time.Now().Add(-25 * time.Hour)
	if err := os.Chtimes(filepath.Join(folder, old), yesterday, yesterday); err != nil {
		t.Fatal(err)
	}
	put(outside)
	link, dir := tid+".2.out", tid+".3.out"
	if err := os.Symlink(outside, filepath.Join(folder, link)); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(folder, dir), 0o700); err != nil {
		t.Fatal(err)
	}
	unknown = append(unknown, link, dir)

	r := p.tidy(weft.TidyOptions{})
	if r.Files != len(spent) || r.FileBytes != int64(5*len(spent)) || r.UnknownFiles != len(unknown) {
		t.Errorf("got %+v, want %d files removed and %d left alone", r, len(spent), len(unknown))
	}
	want := append(unknown, young)
	slices.Sort(want)
	if diff := cmp.Diff(want, p.outputs()); diff != "" {
		t.Errorf("files left (-want +got):\n%s", diff)
	}
	if _, err := os.Stat(outside); err != nil {
		t.Error(err)
	}
}

// A folder of outputs that is a link to another one is none.
func TestTidyFollowsNoLink(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.open()
	precious := filepath.Join(t.TempDir(), "1790000000000000000.1.out")
	if err := os.WriteFile(precious, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(p.dir, ledger.Dir, ledger.OutputDir)
	if err := os.Remove(folder); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Dir(precious), folder); err != nil {
		t.Fatal(err)
	}
	if _, err := p.open().System().Tidy(p.ctx, weft.TidyOptions{}); err == nil || !strings.Contains(err.Error(), "not a folder") {
		t.Errorf("got error %v", err)
	}
	if _, err := os.Stat(precious); err != nil {
		t.Error(err)
	}
	if err := os.Remove(folder); err != nil {
		t.Fatal(err)
	}
	p.tidy(weft.TidyOptions{}) // without the folder there is nothing to do
}

// TestTidyEnvironments keeps the environment of a task that runs.
func TestTidyEnvironments(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	environments := func() (keys []string) {
		recs, err := p.open().Broker().Records(p.ctx, "env", broker.RecordSelect{})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range recs {
			keys = append(keys, r.Key)
		}
		return keys
	}
	env := func(name string) weft.SubmitOptions {
		return weft.SubmitOptions{Env: []string{"PATH=" + os.Getenv("PATH"), "NAME=" + name, p.mark()}}
	}
	tell, proceed := p.fifo("tell"), p.fifo("proceed")
	running, err := p.open().SubmitContext(p.ctx, shell(`echo begun >"$1"; read -r line <"$2"; echo "$NAME"`, tell.Path, proceed.Path), env("running"))
	if err != nil {
		t.Fatal(err)
	}
	tell.Read()
	done, err := p.open().RunContext(p.ctx, shell(`echo "$NAME"`), env("completed"))
	if err != nil || string(done.Output) != "completed\n" {
		t.Fatalf("got %+v: %v", done, err)
	}
	if n := len(environments()); n != 2 {
		t.Fatalf("%d environments, want 2", n)
	}
	if r := p.tidy(weft.TidyOptions{}); r.Environments != 1 {
		t.Errorf("%d environments were removed, want 1", r.Environments)
	}
	if diff := cmp.Diff([]string{p.task(running.TID()).Env}, environments()); diff != "" {
		t.Errorf("environments left (-want +got):\n%s", diff)
	}
	proceed.Open(1)
	if res, err := running.Result(p.ctx); err != nil || string(res.Output) != "running\n" {
		t.Errorf("got %+v: %v", res, err)
	}
	// What has gone comes again with the next task that needs it.
	again, err := p.open().RunContext(p.ctx, shell(`echo "$NAME"`), env("completed"))
	if err != nil || string(again.Output) != "completed\n" {
		t.Errorf("got %+v: %v", again, err)
	}
}

// TestTidyTwice shrinks the store, and then finds nothing to do.
func TestTidyTwice(t *testing.T) {
	t.Parallel()
	p, err := weft.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	const events = 3000
	if _, err := p.Queue(ledger.Log).WriteAll(t.Context(), slices.Repeat([]string{strings.Repeat("x", 1000)}, events)); err != nil {
		t.Fatal(err)
	}
	o := weft.TidyOptions{Retention: weft.Retention{Tasks: 1, Age: -1}}
	r, err := p.System().Tidy(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if r.Events != events-10 || r.StoreAfter > r.StoreBefore/4 || r.LogBefore == 0 || r.LogAfter != 0 {
		t.Errorf("the first time: %+v", r)
	}
	again, err := p.System().Tidy(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	want := weft.TidyReport{Dir: r.Dir, StoreBefore: r.StoreAfter, StoreAfter: r.StoreAfter}
	if diff := cmp.Diff(want, again, cmpopts.IgnoreFields(weft.TidyReport{}, "LogBefore")); diff != "" {
		t.Errorf("the second time (-want +got):\n%s", diff)
	}
	if r, err = p.System().Tidy(t.Context(), weft.TidyOptions{Retention: weft.Retention{Age: time.Nanosecond}}); err != nil || r.Events != 10 {
		t.Errorf("%d events were too old, want 10: %v", r.Events, err)
	}
	if _, err := os.Stat(filepath.Join(r.Dir, "ballast")); errors.Is(err, fs.ErrNotExist) {
		t.Error("no room is kept for a full disk")
	}
}
