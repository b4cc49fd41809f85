package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"

	"weft"
	"weft/internal/waittest"
	"weft/taskspec"
)

var updateScreens = flag.Bool("update", false, "write what docs/screens.md shows")

// TestScreens keeps docs/screens.md true: it shows what a person sees of tasks that really
// ran. Only ids, times and pids are replaced, before anything is laid out.
func TestScreens(t *testing.T) {
	s := newSeat(t)
	s.weft("run", "--name", "build", "--tag", "ci", "sh", "-c", "echo built")
	s.fails("run", "--name", "nightly-backup", "--tag", "nightly", "--timeout", "1h", "--memory", "500", "sh", "-c", "echo copying >&2; echo 'no space left' >&2; exit 3")
	s.fails("run", "--timeout", "0.1", "sleep", "1000")
	p, err := weft.OpenExisting(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	begin := func(args ...string) {
		s.weft(append([]string{"run", "--no-wait"}, args...)...)
		task, err := p.Task(t.Context(), "@last")
		if err != nil {
			t.Fatal(err)
		}
		waittest.Until(t, "the task runs", func() bool {
			status, err := task.Status(t.Context())
			return err == nil && status.Status == taskspec.StatusRunning
		})
	}
	begin("--name", "größe 漢字", "sleep", "600")
	s.weft("task", "stop", "@last")
	begin("--name", "worker", "sh", "-c", `while sleep 1; do echo "it's"; done`)
	s.weft("run", "--no-wait", "--delay", "1h", "./report.sh", "--for", "the whole team", "--since", "2026-11-01")
	var page strings.Builder
	section := func(title, text string) { fmt.Fprintf(&page, "\n### %s\n\n```text\n%s```\n", title, text) }
	for _, columns := range []uint16{80, 200} {
		a := appIn(t, columns)
		head := steady(captured(t, a, func() error { return (&statusCmd{}).show(t.Context(), a, p) }))
		head, _, _ = strings.Cut(head, "\n\n")
		table := captured(t, a, func() error {
			now := time.Date(2026, 11, 21, 14, 3, 7, 0, time.UTC)
			a.printTasks(fixed(t, p, now), now)
			return nil
		})
		status := head + "\n\n" + table
		section(fmt.Sprintf("weft status --all, %d columns", columns), status)
		section(fmt.Sprintf("weft status --all --watch, %d columns and 8 rows", columns), strings.Join(fitFrame(status, int(columns), 8), "\n")+"\n")
		if columns == 80 {
			section("weft task status nightly-backup", steady(captured(t, a, func() error { return a.printTask(t.Context(), p, "nightly-backup") })))
		}
	}
	section("weft task log nightly-backup", steady(s.weft("task", "log", "nightly-backup")))
	checkScreens(t, page.String())
}

// fails runs a command that does not succeed.
func (s *seat) fails(args ...string) {
	s.Helper()
	if err := s.command(args).Run(); err == nil {
		s.Fatalf("weft %s succeeds", strings.Join(args, " "))
	}
}

// appIn returns an app whose output is a terminal of so many columns.
func appIn(t *testing.T, columns uint16) *app {
	t.Helper()
	master, slave, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { slave.Close(); master.Close() })
	if err := pty.Setsize(slave, &pty.Winsize{Rows: 50, Cols: columns}); err != nil {
		t.Fatal(err)
	}
	t.Setenv("COLUMNS", "")
	t.Setenv("LINES", "")
	return &app{stdout: &sink{file: slave, terminal: true}, stderr: os.Stderr}
}

func captured(t *testing.T, a *app, print func() error) string {
	t.Helper()
	text, err := a.stdout.capture(print)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// fixed returns the tasks of the project in the order of the table, as if they had run at
// certain times.
func fixed(t *testing.T, p *weft.Project, now time.Time) []*weft.TaskStatus {
	t.Helper()
	tasks, _, err := newest(context.Background(), p, which{All: true}.filter(), 0)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range tasks {
		s.TID = fmt.Sprintf("%019d", 1796064794497425408+int64(len(tasks)-i)*7919)
		s.Why = steady(s.Why)
		s.Created = now.Add(-time.Duration((i+1)*(i+1)*(i+1)) * 95 * time.Second)
		if !s.NotBefore.IsZero() {
			s.NotBefore = s.Created.Add(time.Hour)
		}
		if !s.Started.IsZero() {
			s.Started = s.Created.Add(time.Millisecond)
		}
		if !s.Completed.IsZero() {
			s.Completed = s.Started.Add(time.Duration(i*i) * 310 * time.Millisecond)
		}
	}
	return tasks
}

// steady returns a text with other ids, times, pids and folders.
func steady(text string) string {
	for _, r := range [][2]string{
		{`\b\d{19}\b`, "1796064794497425408"},
		{`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?`, "2026-11-21 14:03:07"},
		{`\((\d|ms|s|m|h)+ ago\)`, "(5s ago)"},
		{`waits until \d\d:\d\d:\d\d`, "waits until 15:03:07"},
		{`\(pid \d+\)`, "(pid 4321)"},
		{`(?m)^(Process: +)\d+`, "${1}4321"},
		{`(?m)^(Time: +)\S+`, "${1}1.2s"},
		{`(?m)^(Used: +).*`, "${1}0.01s of CPU, 8.2 MB of memory"},
		{`(?m)^(Directory: +).*`, "${1}/srv/project"},
	} {
		text = regexp.MustCompile(r[0]).ReplaceAllString(text, r[1])
	}
	return text
}

// checkScreens compares what the page shows, or writes it.
func checkScreens(t *testing.T, want string) {
	t.Helper()
	const page, begin = "../../docs/screens.md", "<!-- made by go test ./cmd/weft -run TestScreens -update -->\n"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, got, found := strings.Cut(string(text), begin)
	if !found {
		t.Fatalf("%s has no %q", page, begin)
	}
	if got == want {
		return
	}
	if !*updateScreens {
		t.Fatalf("%s is not what the program shows: go test ./cmd/weft -run TestScreens -update\ngot:\n%s", page, want)
	}
	if err := os.WriteFile(page, []byte(before+begin+want), 0o600); err != nil {
		t.Fatal(err)
	}
}
