package weft

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"sync/atomic"

	"weft/broker/sqlite"
	"weft/internal/consumer"
	"weft/internal/function"
	"weft/internal/role"
)

// initialized says that this program may be executed again. It is a fact about
// the process, so it is not kept in a Project.
var initialized atomic.Bool

// Init must be the first call in main, or in TestMain, after [Register]. In a
// process that Weft has started, Init does that process's work and never returns.
// In every other process it returns at once, and allows Weft to start processes
// of this program. It also makes SQLite use locks that survive other code in the process
// that opens and closes a store's files, so that the program may open databases of its own
// with the same driver before its first project.
func Init() {
	initialized.Store(true)
	r, conn := role.Take()
	switch r {
	case role.Consumer:
		exit(consumer.Main(conn, build(), os.Environ()))
	case role.Manager:
		exit(runManager(conn))
	case role.Function:
		sqlite.SafeLocks()
		exit(consumer.ServeCall(conn, role.Extra(), &registered))
	case role.Exec:
		exit(consumer.Become(conn))
	case role.Describe:
		exit(function.Describe(conn, build(), &registered))
	}
	sqlite.SafeLocks() // what is wrong with that, Open says
}

// exit ends a process that Init has taken over.
func exit(err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "weft: %v\n", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// executable is the program whose managers and consumers may be started.
func executable() (string, error) {
	if initialized.Load() {
		return selfPath()
	}
	path, err := exec.LookPath("weft")
	if err != nil {
		return "", ErrNoInit
	}
	return path, nil
}

// build identifies this version of the program.
func build() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return info.Main.Version + " " + s.Value
		}
	}
	return info.Main.Version
}

// selfPath is this program, on Linux also when its file has been deleted or replaced
// since it was started, as `go run` does.
func selfPath() (string, error) {
	if runtime.GOOS == "linux" {
		return "/proc/self/exe", nil
	}
	return os.Executable()
}
