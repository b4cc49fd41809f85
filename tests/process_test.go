//go:build linux

package weft_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"weft/internal/ledger"
	"weft/internal/proc"
)

// mark is in the environment of every process of the project.
func (p *project) mark() string { return "WEFT_TEST_PROJECT=" + p.dir }

// processes are the processes of the project that run now. It looks for itself
// at all there are, by other means than the code under test.
func (p *project) processes() map[proc.Identity]string {
	p.t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		p.t.Fatal(err)
	}
	found := make(map[proc.Identity]string)
	for _, file := range files {
		environ, err := os.ReadFile(file) // of a zombie there is none
		if err != nil || !bytes.Contains(environ, []byte(p.mark()+"\x00")) {
			continue
		}
		folder := filepath.Dir(file)
		pid, err := strconv.Atoi(filepath.Base(folder))
		if err != nil {
			p.t.Fatal(err)
		}
		id, err := proc.Of(pid)
		if err != nil {
			continue // it has just ended
		}
		title, _ := os.ReadFile(filepath.Join(folder, "cmdline"))
		found[id] = string(bytes.TrimSpace(bytes.ReplaceAll(title, []byte{0}, []byte{' '})))
	}
	return found
}

// checkCrashes looks whether a manager or a consumer has crashed, or has found a
// data race in itself.
func (p *project) checkCrashes() {
	p.t.Helper()
	text, err := os.ReadFile(filepath.Join(p.dir, ledger.Dir, "logs", "crash.log"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		p.t.Error(err)
	}
	for _, sign := range []string{"panic: ", "fatal error: ", "DATA RACE"} {
		if bytes.Contains(text, []byte(sign)) {
			p.t.Errorf("crash.log: %s", sign)
		}
	}
}

// vanish waits until no process of the project is left. It reports those that
// stay, and kills them.
func (p *project) vanish() {
	p.t.Helper()
	for {
		left := p.processes()
		if len(left) == 0 {
			return
		}
		for id, title := range left {
			if id.Wait(p.ctx) != nil {
				p.t.Errorf("process %d is left: %s", id.PID, title)
				_ = id.Signal(9)
			}
		}
		if p.ctx.Err() != nil {
			return
		}
	}
}
