package notify

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestInspect(t *testing.T) {
	t.Parallel()
	dir := newFolder(t)
	inspectWell := func() {
		t.Helper()
		if means, err := Inspect(dir); means != watcherName || err != nil {
			t.Errorf("got %q, %v, want %q", means, err, watcherName)
		}
	}
	inspectWell() // there is no folder
	s := newNotifier(t, dir, nil)
	inspectWell()
	listen(t, s, "a", "b")
	before := entries(t, dir)
	inspectWell()
	if err := os.Mkdir(filepath.Join(dir, fileName(Channel("c"))), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Inspect(dir); err == nil || !strings.Contains(err.Error(), fileName(Channel("c"))+" is not a bell") {
		t.Errorf("got error %v", err)
	}
	if after := entries(t, dir); len(after) != len(before)+1 {
		t.Errorf("the folder holds %v, had %v", after, before)
	}
}
