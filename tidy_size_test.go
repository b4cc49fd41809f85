//go:build linux

package weft_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weft"
	"weft/internal/ledger"
)

// TestTidySize runs tasks and tidies: the project is small again.
func TestTidySize(t *testing.T) { tidySize(t, 300, weft.TidyOptions{KeepTasks: 30, KeepEvents: 200}) }

// TestLongTidySize is the same for 10,000 tasks, with the defaults.
func TestLongTidySize(t *testing.T) {
	if os.Getenv("WEFT_LONG") != "1" {
		t.Skip("takes a minute: set WEFT_LONG=1")
	}
	tidySize(t, 10_000, weft.TidyOptions{KeepTasks: weft.DefaultKeepTasks, KeepEvents: weft.DefaultKeepEvents})
}

// What a small task may leave in the store, in bytes: about a half more than was
// measured, so that a field can be added, but not an index or a copy.
const (
	sizeOfTask  = 3000
	sizeOfEvent = 1500
	sizeOfStore = 100_000 // and an empty store
)

// tidySize runs so many tasks and bounds what is left of them by what is kept.
func tidySize(t *testing.T, tasks int, o weft.TidyOptions) {
	t.Parallel()
	p := newProject(t, "WEFT_DURABILITY=normal")
	p.patient(10 * time.Minute)
	c := p.client(call{Do: "load", Load: load{Tasks: tasks, Parallel: 8, Prefix: "token"}})
	if n := len(c.results()); n != tasks {
		t.Fatalf("%d tasks were answered, want %d", n, tasks)
	}
	if _, err := p.open().Manager().Stop(p.ctx); err != nil {
		t.Fatal(err)
	}
	p.vanish(patience)
	before := p.sizes()
	r := p.tidy(o)
	after := p.sizes()
	t.Logf("%d tasks: %v before, %v after; %+v", tasks, before, after, r)
	if n := len(p.tasks()); n != o.KeepTasks || r.Tasks != tasks-n {
		t.Errorf("%d tasks are left and %d were removed, of %d", n, r.Tasks, tasks)
	}
	bounds := map[string]int64{
		ledger.OutputDir: 0, "broker.db-wal": 0, "bells": 0,
		"broker.db": sizeOfStore + int64(o.KeepTasks*sizeOfTask+o.KeepEvents*sizeOfEvent),
		"logs":      100_000,
	}
	for name, most := range bounds {
		if after[name] > most {
			t.Errorf("%s has %d bytes, want at most %d", name, after[name], most)
		}
	}
	if r.StoreAfter > r.StoreBefore/3 {
		t.Errorf("the store shrank from %d to %d bytes only", r.StoreBefore, r.StoreAfter)
	}
}

// sizes are the bytes of the files of the project, by what they are for.
func (p *project) sizes() map[string]int64 {
	p.t.Helper()
	dir := filepath.Join(p.dir, ledger.Dir)
	sizes := make(map[string]int64)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		below, _, _ := strings.Cut(strings.TrimPrefix(path, dir+"/"), "/")
		sizes[below] += info.Size()
		return nil
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return sizes
}
