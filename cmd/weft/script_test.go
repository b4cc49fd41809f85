package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"weft"
	"weft/internal/waittest"
)

func TestMain(m *testing.M) {
	// Managers and consumers are this test program, executed again.
	weft.Init()
	testscript.Main(ownState{m}, map[string]func(){"weft": main})
}

// ownState gives the tests a folder of their own for what weft remembers of
// projects; scripts have their homes.
type ownState struct{ *testing.M }

// Run runs the tests.
func (s ownState) Run() int {
	dir, err := os.MkdirTemp("", "weft-state-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Setenv("XDG_STATE_HOME", dir); err != nil {
		panic(err)
	}
	return s.M.Run()
}

// TestScripts runs what a user would type. Each script has a folder, a home and
// a manager of its own, and may leave no process behind.
func TestScripts(t *testing.T) { runScripts(t, "testdata/script", nil) }

// runScripts runs the scripts in a folder, or one script, with more environment.
func runScripts(t *testing.T, path string, more map[string]string) {
	t.Helper()
	// The program with functions that some scripts use, a later version of it, and
	// the folder they are in.
	folder := t.TempDir()
	host := sync.OnceValues(func() (dir string, err error) {
		for name, flags := range map[string]string{"host": "", "later-host": "-X main.extra=later"} {
			out, err := exec.Command("go", "build", "-ldflags", flags, "-o", filepath.Join(folder, name), "./testdata/host").CombinedOutput()
			if err != nil {
				return "", fmt.Errorf("build host: %w: %s", err, out)
			}
		}
		return folder, nil
	})
	p := testscript.Params{
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"damage": damage, "age": age, "spend": spend},
		Condition: func(name string) (bool, error) {
			switch name {
			case "root":
				return os.Geteuid() == 0, nil
			case "mounts": // in a name space of its own
				return exec.Command("unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt").Run() == nil, nil
			}
			return false, fmt.Errorf("unknown condition %q", name)
		},
		Setup: func(env *testscript.Env) error {
			// The search for a project ends at the home folder.
			env.Setenv("HOME", env.WorkDir)
			// Under the race detector every program would sleep for a second at
			// its end.
			env.Setenv("GORACE", os.Getenv("GORACE")+" atexit_sleep_ms=0")
			// On a busy machine the process that writes may not get on for seconds.
			env.Setenv("WEFT_BUSY_TIMEOUT", fmt.Sprint(waittest.Limit().Seconds()))
			// A delay that is long enough for the next commands of a script.
			env.Setenv("SOON", fmt.Sprint(waittest.Scale(2*time.Second).Seconds()))
			for name, value := range more {
				env.Setenv(name, value)
			}
			if strings.Contains(filepath.Base(env.WorkDir), "function") {
				dir, err := host()
				if err != nil {
					return err
				}
				env.Setenv("HOSTS", dir)
				env.Setenv("PATH", dir+string(filepath.ListSeparator)+env.Getenv("PATH"))
			}
			env.Defer(func() { stopProcesses(env.T().(testing.TB), "HOME="+env.WorkDir) })
			return nil
		},
	}
	if filepath.Ext(path) == ".txtar" {
		p.Files = []string{path}
	} else {
		p.Dir = path
	}
	testscript.Run(t, p)
}
