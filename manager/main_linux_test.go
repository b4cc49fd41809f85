package manager

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"weft/broker"
	"weft/broker/sqlite"
	consumers "weft/internal/consumer" // the pool has a type called consumer
	"weft/internal/ledger"
	"weft/internal/role"
)

// build is the build of the consumers that this test binary becomes.
const build = "test"

// partVar makes the test binary play another part than those of Weft.
const partVar = "WEFT_MANAGER_TEST_PART"

// TestMain lets the test binary be what a manager starts, and what a client
// starts, so that these tests work with real processes.
func TestMain(m *testing.M) {
	r, conn := role.Take()
	var err error
	switch part, dir, _ := strings.Cut(os.Getenv(partVar), " "); {
	case r == role.Consumer:
		err = consumers.Main(conn, build, os.Environ())
	case r == role.Exec:
		err = consumers.Become(conn)
	case r == role.Manager:
		err = manage(conn)
	case part == "lead":
		err = playLeader(dir)
	default:
		goleak.VerifyTestMain(m)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// manage is the life of a detached manager. The name of its build says how it
// fails, if it does.
func manage(conn io.ReadWriteCloser) error {
	call, err := ReadCall(conn)
	if err != nil {
		Answer(conn, err)
		return err
	}
	switch call.Build {
	case "mute":
		return nil
	case "refuses":
		Answer(conn, errors.New("it is not my day"))
		return nil
	case "hangs":
		_, err := io.Copy(io.Discard, conn) // until the client has gone
		return err
	case "tells":
		Answer(conn, fmt.Errorf("%q %q %q", os.Getenv("WEFT_TID"), os.Getenv("WEFT_ROLE"), os.Getenv("OTHER")))
		return nil
	}
	if kills, ok := strings.CutPrefix(call.Build, "killed "); ok && starts(call.Root) <= number(kills) {
		return syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	dir := filepath.Join(call.Root, ledger.Dir)
	b, err := sqlite.Open(dir, sqlite.Options{Durability: sqlite.Normal})
	if err != nil {
		Answer(conn, err)
		return err
	}
	defer b.Close()
	err = Run(context.Background(), Options{
		Root: call.Root, Dir: dir, Broker: b, Durability: "normal", MaxMessage: broker.MaxMessageBytes,
		Executable: "/proc/self/exe", Build: build, Env: os.Environ(), Ready: func() { Answer(conn, nil) },
	})
	Answer(conn, err)
	return err
}

// starts counts the managers that were started for the project, with this one.
func starts(root string) int {
	name := filepath.Join(root, "starts")
	before, _ := os.ReadFile(name) // there is none before the first
	if err := os.WriteFile(name, append(before, '.'), 0o600); err != nil {
		panic(err)
	}
	return len(before) + 1
}

// number reads a number that a test has written.
func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		panic(err)
	}
	return n
}
