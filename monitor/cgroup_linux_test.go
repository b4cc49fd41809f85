package monitor

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestLocateCgroup(t *testing.T) {
	t.Parallel()
	const unified = "24 1 0:22 / /sys/fs/cgroup rw,relatime shared:4 - cgroup2 cgroup2 rw\n"
	const hybrid = "24 1 0:22 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n25 1 0:23 / /sys/fs/cgroup/unified rw - cgroup2 cgroup rw\n"
	for name, test := range map[string]struct{ groups, mounts, want string }{
		"the whole tree": {"0::/user.slice/a.scope\n", unified, "/sys/fs/cgroup/user.slice/a.scope"},
		"the root":       {"0::/\n", unified, "/sys/fs/cgroup"},
		"hybrid":         {"4:memory:/elsewhere\n0::/own\n", hybrid, "/sys/fs/cgroup/unified/own"},
		"a part":         {"0::/docker/x/own\n", "24 1 0:22 /docker/x /sys/fs/cgroup rw - cgroup2 cgroup rw\n", "/sys/fs/cgroup/own"},
		"another part":   {"0::/docker/y\n", "24 1 0:22 /docker/x /sys/fs/cgroup rw - cgroup2 cgroup rw\n", ""},
		"version 1":      {"4:memory:/own\n", hybrid, ""},
		"not mounted":    {"0::/own\n", "24 1 0:22 / / rw - ext4 /dev/vda rw\n", ""},
		"nonsense":       {"0::/own\n", "\n- cgroup2\na b c d e f -\n", ""},
	} {
		got, err := locateCgroup([]byte(test.groups), []byte(test.mounts))
		if got != test.want || (test.want == "") != errors.Is(err, errNoCgroup) {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, test.want)
		}
	}
}

// A look that fails leaves nothing behind either.
func TestDelegated(t *testing.T) {
	t.Parallel()
	dir := t.TempDir() // in which new folders have no controllers
	if names, err := delegated(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, %v", names, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if names, err := delegated(filepath.Join(dir, "missing")); err == nil {
		t.Errorf("got %v where there is no group", names)
	}
}
