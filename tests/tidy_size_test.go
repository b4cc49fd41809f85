//go:build linux

package weft_test

import (
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weft"
	"weft/internal/ledger"
	"weft/internal/waittest"
)

// TestTidySize runs tasks and tidies: the project is small again.
func TestTidySize(t *testing.T) { tidySize(t, 300, 30) }

// TestLongTidySize is the same for more tasks.
func TestLongTidySize(t *testing.T) {
	waittest.NeedLong(t)
	tidySize(t, 10_000, 1000)
}

// What a small task may leave in the store, in bytes: about a half more than was
// measured, so that a field can be added, but not an index or a copy.
const (
	sizeOfTask  = 3000
	sizeOfEvent = 1500 // of which a task has
	eventsEach  = 4
	sizeOfRest  = 200_000 // and an empty project, but for the ballast
)

// tidySize runs so many tasks and bounds what is left of them by what is kept.
func tidySize(t *testing.T, tasks, keep int) {
	t.Parallel()
	p := newProject(t, "WEFT_DURABILITY=normal", "WEFT_RETENTION_TASKS=never")
	p.patient(10 * time.Minute)
	c := p.client(call{Do: "load", Load: load{Tasks: tasks, Parallel: 8, Prefix: "token"}})
	if n := len(c.results()); n != tasks {
		t.Fatalf("%d tasks were answered, want %d", n, tasks)
	}
	if _, err := p.open().Manager().Stop(p.ctx); err != nil {
		t.Fatal(err)
	}
	p.vanish()
	r := p.tidy(weft.TidyOptions{Retention: weft.Retention{Tasks: keep}})
	left := p.sizes()
	t.Logf("of %d tasks %v is left; %+v", tasks, left, r)
	if n := len(p.tasks()); n != keep || r.Tasks != tasks-n {
		t.Errorf("%d tasks are left and %d were removed, of %d", n, r.Tasks, tasks)
	}
	if left[ledger.OutputDir] > 0 {
		t.Errorf("the outputs have %d bytes", left[ledger.OutputDir])
	}
	var total int64
	for name, size := range left {
		if name != "ballast" { // which is there for a full disk
			total += size
		}
	}
	if most := int64(sizeOfRest + keep*(sizeOfTask+eventsEach*sizeOfEvent)); total > most {
		t.Errorf("%d bytes are left, want at most %d", total, most)
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
