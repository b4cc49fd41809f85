package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"weft"
)

// options are what the command line says.
type options struct {
	rounds  int
	dir     string
	profile string
}

// A bench is what the benchmarks share: the programs they run and a folder on
// the disk, in which all their stores are.
type bench struct {
	options
	root string
	// The programs, built for this run.
	weft, floor, empty, host string
	projects                 []string
}

// newBench builds the programs. The caller closes the bench.
func newBench(ctx context.Context, o options) (b *bench, err error) {
	b = &bench{options: o}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.close())
		}
	}()
	if b.root, err = os.MkdirTemp(o.dir, "weft-bench-"); err != nil {
		return b, err
	}
	if err := onDisk(b.root); err != nil {
		return b, err
	}
	source, err := output(exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "weft"))
	if err != nil {
		return b, fmt.Errorf("find the source of weft (run this in its folder bench): %w", err)
	}
	b.weft, b.floor = filepath.Join(b.root, "weft"), filepath.Join(b.root, "floor")
	b.empty, b.host = filepath.Join(b.root, "empty"), filepath.Join(b.root, "host")
	for _, build := range []struct{ dir, pkg, binary string }{
		{strings.TrimSpace(source), "./cmd/weft", b.weft},
		{".", "./floor", b.floor},
		{".", "./empty", b.empty},
		{".", "./host", b.host},
	} {
		linked := build.binary + ".linked"
		cmd := exec.CommandContext(ctx, "go", "build", "-o", linked, build.pkg)
		cmd.Dir = build.dir
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if _, err := output(cmd); err != nil {
			return b, err
		}
		if err := install(linked, build.binary); err != nil {
			return b, err
		}
	}
	return b, nil
}

// install copies a program, as one does who installs it. The linker leaves its
// file in the cache of the system in small pieces, in which a program starts
// up to a fifth slower, and never twice the same.
func install(from, to string) (err error) {
	linked, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, linked.Close(), os.Remove(from)) }()
	program, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	// Written in large pieces, and never by the kernel itself, which might let
	// the files share them. What this process has in memory counts for those it
	// starts, so the program is not read whole.
	_, err = io.CopyBuffer(struct{ io.Writer }{program}, struct{ io.Reader }{linked}, make([]byte, 1<<20))
	return errors.Join(err, program.Close())
}

// output runs a command and returns what it prints.
func output(cmd *exec.Cmd) (string, error) {
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, strings.TrimSpace(errs.String()))
	}
	return string(out), nil
}

// onDisk refuses a folder in memory, where an fsync costs nothing.
func onDisk(dir string) error {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return fmt.Errorf("inspect file system of %s: %w", dir, err)
	}
	if st.Type == unix.TMPFS_MAGIC || st.Type == unix.RAMFS_MAGIC {
		return fmt.Errorf("%s is in memory; choose a folder on a disk with -dir", dir)
	}
	return nil
}

// close stops the managers of all projects and removes everything.
func (b *bench) close() error {
	var errs []error
	for _, dir := range b.projects {
		errs = append(errs, stopManager(dir))
	}
	if b.root != "" {
		errs = append(errs, os.RemoveAll(b.root))
	}
	return errors.Join(errs...)
}

// stopManager stops the manager of a project and waits until it has gone.
func stopManager(dir string) error {
	p, err := weft.OpenExisting(dir)
	if err != nil {
		return err
	}
	_, err = p.Manager().Stop(context.Background())
	return errors.Join(err, p.Close())
}

// folder makes a new folder.
func (b *bench) folder() (string, error) { return os.MkdirTemp(b.root, "") }

// project makes a project with the given durability.
func (b *bench) project(ctx context.Context, durability string) (dir string, err error) {
	if dir, err = b.folder(); err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, b.weft, "init")
	cmd.Dir = dir
	cmd.Env = durable(durability)
	if _, err := output(cmd); err != nil {
		return "", err
	}
	b.projects = append(b.projects, dir)
	return dir, nil
}

// durable is the environment in which a project of this durability is created.
func durable(durability string) []string {
	return append(os.Environ(), "WEFT_DURABILITY="+durability)
}
