//go:build linux

// Package docs holds the pages about Weft, and this test, which does what they
// show. A page is read from top to bottom, as a reader would follow it in a
// folder that holds nothing but a checkout of weft:
//
//   - A block of console is typed into one shell; what it shows below a command
//     must be what the command prints. "…" stands for any text in a line, and in a
//     line of its own for any lines; an id of 19 or 10 digits for any such id.
//   - A block of sh is typed too, and must succeed; what it prints is not compared.
//   - A block with a file name behind its language, such as "json etl.json", is
//     that file.
//   - Other blocks are not done: text, in which there are no commands but in the help of cli.md,
//     and parts of Go and JSON, which name no file.
package docs_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"weft/internal/waittest"
)

// checkout is the folder that holds the module.
const checkout = ".."

func TestPages(t *testing.T) {
	pages, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	buildWeft(t, filepath.Join(bin, "weft"))
	for _, page := range append(pages, filepath.Join(checkout, "README.md")) {
		t.Run(filepath.Base(page), func(t *testing.T) {
			t.Parallel()
			follow(t, page, bin)
		})
	}
}

// buildWeft builds the command line at a path.
func buildWeft(t *testing.T, path string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", path, "./cmd/weft")
	cmd.Dir = checkout
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build weft: %v\n%s", err, out)
	}
}

// follow does what a page shows.
func follow(t *testing.T, page, bin string) {
	blocks, err := readBlocks(page)
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	folder := filepath.Join(home, "work")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	module, err := filepath.Abs(checkout)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(module, filepath.Join(folder, "weft")); err != nil {
		t.Fatal(err)
	}
	sh := startShell(t, home, folder, bin)
	t.Cleanup(func() {
		stop := fmt.Sprintf("find %q -name .weft -type d -execdir weft manager stop ';'", home)
		if out, err := sh.do(stop); err != nil {
			t.Errorf("stop managers: %v\n%s", err, out)
		}
		sh.close()
	})
	for _, b := range blocks {
		switch {
		case b.file != "":
			where, err := sh.do("pwd")
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(strings.TrimSpace(where), b.file)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(b.text), 0o600); err != nil {
				t.Fatal(err)
			}
		case b.language == "sh":
			if out, err := sh.do("set -e\n" + b.text + "set +e"); err != nil {
				t.Fatalf("%s:%d: %v\n%s", page, b.line, err, out)
			}
		case b.language == "console":
			for _, s := range steps(b) {
				got, err := sh.do(s.command)
				if err != nil {
					t.Fatalf("%s:%d: %s: %v\n%s", page, s.line, s.command, err, got)
				}
				if !s.shows(got) {
					t.Errorf("%s:%d: %s\ngot:\n%s\nwant:\n%s", page, s.line, s.command, got, strings.Join(s.want, "\n"))
				}
			}
		case b.language == "text" && page != "cli.md" && command.MatchString(b.text):
			t.Errorf("%s:%d: a command that is not run: make it a block of console or sh", page, b.line)
		case b.language != "text" && b.language != "go" && b.language != "json":
			t.Errorf("%s:%d: a block of %q is not done", page, b.line, b.language)
		}
	}
}

// A block is a fenced block of a page.
type block struct {
	language, file string
	text           string // its lines, each with its end
	line           int    // of the page, where the text begins
}

// readBlocks returns the fenced blocks of a page.
func readBlocks(page string) (blocks []block, err error) {
	f, err := os.Open(page)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var current *block
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		info, fence := strings.CutPrefix(lines.Text(), "```")
		switch {
		case fence && current == nil:
			language, file, _ := strings.Cut(info, " ")
			current = &block{language: language, file: file, line: n + 1}
		case fence:
			blocks = append(blocks, *current)
			current = nil
		case current != nil:
			current.text += lines.Text() + "\n"
		}
	}
	if current != nil {
		err = fmt.Errorf("%s:%d: the block is not closed", page, current.line)
	}
	return blocks, errors.Join(err, lines.Err())
}

// A step is a command and what it prints.
type step struct {
	command string
	want    []string // lines
	line    int      // of the page
}

// steps are the commands of a block of console: each begins with "$ ", its further
// lines with "> ".
func steps(b block) (all []step) {
	for n, line := range strings.Split(strings.TrimSuffix(b.text, "\n"), "\n") {
		command, isCommand := strings.CutPrefix(line, "$ ")
		more, isMore := strings.CutPrefix(line, "> ")
		last := len(all) - 1
		switch {
		case isCommand:
			all = append(all, step{command: command, line: b.line + n})
		case last < 0:
		case isMore && len(all[last].want) == 0:
			all[last].command += "\n" + more
		default:
			all[last].want = append(all[last].want, line)
		}
	}
	return all
}

// command is what a line that is typed looks like.
var command = regexp.MustCompile(`(?m)^ *(\$ |weft [a-z]+ )`)

const anything = "…"

var (
	longID  = regexp.MustCompile(`\b\d{19}\b`)
	shortID = regexp.MustCompile(`\b\d{10}\b`)
)

// pattern is a line of a page as an expression, in which a word stands for what
// differs from run to run.
func pattern(line string) string {
	line = longID.ReplaceAllLiteralString(line, "LONGID")
	line = shortID.ReplaceAllLiteralString(line, "SHORTID")
	line = regexp.QuoteMeta(line)
	return strings.NewReplacer(anything, ".*", "LONGID", `\d{19}`, "SHORTID", `\d{10}`).Replace(line)
}

// shows reports whether a command has printed what the page shows.
func (s step) shows(got string) bool {
	var want strings.Builder
	for _, line := range s.want {
		if line == anything {
			want.WriteString(`(?:.*\n)*`)
		} else {
			want.WriteString(pattern(strings.TrimRight(line, " ")) + `[ \t]*\n`)
		}
	}
	if got != "" && !strings.HasSuffix(got, "\n") {
		got += "\n"
	}
	return regexp.MustCompile(`\A` + want.String() + `\z`).MatchString(got)
}

// TestShows: a page is held to what it shows, but for what differs each time.
func TestShows(t *testing.T) {
	for _, c := range []struct {
		want []string
		got  string
		is   bool
	}{
		{nil, "", true},
		{nil, "x\n", false},
		{[]string{"a b"}, "a b\n", true},
		{[]string{"a b"}, "a b", true},
		{[]string{"a b"}, "a c\n", false},
		{[]string{"a (b)…d"}, "a (b) c d\n", true},
		{[]string{"a", "…", "z"}, "a\nz\n", true},
		{[]string{"a", "…", "z"}, "a\nb\nc\nz\n", true},
		{[]string{"a", "…"}, "b\n", false},
		{[]string{"1795297327271673856 x 2345678901"}, "1796064613137731584 x 1111111111\n", true},
		{[]string{"1795297327271673856"}, "1796064613\n", false},
	} {
		if is := (step{want: c.want}).shows(c.got); is != c.is {
			t.Errorf("%q shown by %q: %v, want %v", c.got, c.want, is, c.is)
		}
	}
}

// A shell is one that stays between commands, so that each finds the folder, the
// variables and the exit code that the one before has left.
type shell struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	out   *bufio.Reader
}

func startShell(t *testing.T, home, folder, bin string) *shell {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	sh := &shell{cmd: exec.CommandContext(ctx, "bash", "--norc", "--noprofile")}
	sh.cmd.Dir = folder
	goEnv := func(name string) string {
		out, err := exec.CommandContext(ctx, "go", "env", name).Output()
		if err != nil {
			t.Fatal(err)
		}
		return name + "=" + strings.TrimSpace(string(out))
	}
	sh.cmd.Env = []string{
		"HOME=" + home, "XDG_STATE_HOME=" + filepath.Join(home, "state"), "LANG=C.UTF-8", "NO_COLOR=1", "USER=you",
		"PATH=" + bin + ":" + os.Getenv("PATH"), "TMPDIR=" + os.TempDir(),
		// On a new machine go get asks for the go.mod of modules that building this
		// test did not need.
		goEnv("GOMODCACHE"), goEnv("GOCACHE"), goEnv("GOPROXY"), "GOFLAGS=-mod=mod", "GOSUMDB=off", "GOENV=off",
	}
	var err error
	if sh.stdin, err = sh.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	sh.cmd.Stdout, sh.cmd.Stderr = write, write
	if err := sh.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	write.Close()
	sh.out = bufio.NewReader(read)
	t.Cleanup(func() { read.Close() })
	return sh
}

// do types a command and returns what it prints, on both outputs. An error means
// that the shell has ended, or that the command hangs.
func (sh *shell) do(command string) (printed string, err error) {
	const mark = "\x01end of command\x01"
	over := time.AfterFunc(5*waittest.Limit(), func() { _ = sh.cmd.Process.Kill() }) // it may build all of weft
	defer over.Stop()
	// The exit code stays for the next command.
	_, err = fmt.Fprintf(sh.stdin, "{ %s\n} </dev/null; code=$?; printf '%s\\n'; (exit $code)\n", command, mark)
	if err != nil {
		return "", err
	}
	var all strings.Builder
	for {
		line, err := sh.out.ReadString('\n')
		text, found := strings.CutSuffix(line, mark+"\n")
		all.WriteString(text)
		if found {
			return all.String(), nil
		}
		if err != nil {
			return all.String(), fmt.Errorf("the shell has ended: %w", errors.Join(err, sh.cmd.Wait()))
		}
	}
}

func (sh *shell) close() {
	_ = sh.stdin.Close()
	_ = sh.cmd.Wait()
}
