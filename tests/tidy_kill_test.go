//go:build linux

package weft_test

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"weft"
	"weft/broker"
	"weft/broker/sqlite"
	"weft/internal/ledger"
	"weft/internal/waittest"
)

// tidierVariable makes TestTidier tidy the project in that folder.
const tidierVariable = "WEFT_TEST_TIDY_IN"

// tidierKeeps is how many events it keeps: ten for each task.
const tidierKeeps = 100

// TestTidier is no test by itself but the process that TestTidyKilled kills.
func TestTidier(t *testing.T) {
	dir := os.Getenv(tidierVariable)
	if dir == "" {
		t.Skip("nobody wants to tidy")
	}
	p, err := weft.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	for {
		fmt.Println("begin")
		if _, err := p.System().Tidy(t.Context(), weft.TidyOptions{Retention: weft.Retention{Tasks: tidierKeeps / 10}}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTidyKilled kills the process that tidies, at any time: it has only done less.
func TestTidyKilled(t *testing.T) {
	t.Parallel()
	const longest = 100 * time.Millisecond
	dir := t.TempDir()
	p, err := weft.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	folder, input := filepath.Join(dir, ledger.Dir), strings.Repeat("0", 32)
	var waiting *ledger.Task
	err = p.Broker().Update(t.Context(), func(tx *broker.Tx) error {
		s := ledger.Submission{Spec: shell("cat"), Item: "{}", Dir: dir, Env: "A=1", Input: input}
		tid, _, err := ledger.Submit(tx, s, time.Now())
		if err != nil {
			return err
		}
		rec, err := tx.Record(ledger.Kind, tid)
		if err != nil {
			return err
		}
		waiting, err = ledger.Decode(rec)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	needed := ledger.InputFile(folder, input)
	if err := os.WriteFile(needed, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	events := func() (ids []broker.ID) {
		t.Helper()
		for m, err := range p.Queue(ledger.Log).Messages(t.Context(), broker.Select{}) {
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, m.ID)
		}
		return ids
	}
	written := events() // of the submission
	random := rand.New(rand.NewPCG(seed(t), 0))
	for round := range waittest.Size(4, 10) {
		ids, err := p.Queue(ledger.Log).WriteAll(t.Context(), slices.Repeat([]string{strings.Repeat("x", 500)}, 2000))
		if err != nil {
			t.Fatal(err)
		}
		written = append(written, ids...)
		spare := ledger.OutputFile(folder, "1790000000000000000", round+1, ledger.Stdout)
		if err := os.WriteFile(spare, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		killTidier(t, dir, 1+round%2, time.Duration(random.Int64N(int64(longest))))

		if err := sqlite.Inspect(t.Context(), folder); err != nil {
			t.Fatal(err)
		}
		left := events()
		if n := len(left); n < tidierKeeps || !slices.Equal(left, written[len(written)-n:]) {
			t.Errorf("%d events are left, which are not the newest", n)
		}
		if _, err := p.Broker().Record(t.Context(), "env", waiting.Env); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(needed); err != nil {
			t.Error(err)
		}
	}
	r, err := p.System().Tidy(t.Context(), weft.TidyOptions{Retention: weft.Retention{Tasks: tidierKeeps / 10}})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the last kill has left %d events and %d files", r.Events, r.Files)
	if n := len(events()); n != tidierKeeps {
		t.Errorf("%d events are left at the end", n)
	}
	if left, err := filepath.Glob(filepath.Join(folder, ledger.OutputDir, "*")); err != nil || !slices.Equal(left, []string{needed}) {
		t.Errorf("files left: %v, %v", left, err)
	}
}

// killTidier starts who tidies, again and again, and kills it so long after a
// pass began.
func killTidier(t *testing.T, dir string, pass int, after time.Duration) {
	t.Helper()
	tidier := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^TestTidier$")
	tidier.Env = append(os.Environ(), tidierVariable+"="+dir)
	out, err := tidier.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := tidier.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for range pass {
		if !lines.Scan() || lines.Text() != "begin" {
			t.Fatalf("it did not begin: %q, %v", lines.Text(), lines.Err())
		}
	}
	<-time.After(after) // no event tells any moment
	if err := tidier.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() {
		if lines.Text() != "begin" {
			t.Errorf("who tidied says: %s", lines.Text())
		}
	}
	err = tidier.Wait()
	if ended, ok := errors.AsType[*exec.ExitError](err); !ok || ended.ExitCode() != -1 {
		t.Fatalf("it has ended by itself: %v", err)
	}
}
