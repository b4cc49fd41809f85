package title

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

// roleVar makes the test binary play a part instead of running the tests.
const roleVar = "WEFT_TITLE_TEST_ROLE"

func TestMain(m *testing.M) {
	if os.Getenv(roleVar) != "" {
		runTitles()
		return
	}
	goleak.VerifyTestMain(m)
}

// runTitles sets every line that it reads as its title, and says when it is
// set. A goroutine of its own does it, as one thread is not like another here.
func runTitles() {
	done := make(chan struct{})
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		go func() {
			Set(in.Text())
			done <- struct{}{}
		}()
		<-done
		fmt.Println("set")
	}
}

func TestSet(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 2*Room)
	for _, test := range []struct {
		name  string
		argv0 string
		say   []string
		want  string // argv[0] after that
		comm  string
	}{
		{"padded", "weft" + Pad(), []string{"weft-shop-1:n:running"}, "weft-shop-1:n:running", "weft-shop-1:n:r"},
		{"shorter the second time", "weft" + Pad(), []string{"weft-shop-1:n:running", "weft:a"}, "weft:a", "weft:a"},
		{"longer the second time", "weft" + Pad(), []string{"weft:a", "weft-shop-1:n:running"}, "weft-shop-1:n:running",
			"weft-shop-1:n:r"},
		{"as long as it gets", Pad(), []string{Format("/abcdefghi", long, long, long, long)},
			Format("/abcdefghi", long, long, long, long), "weft-abcdefgh-x"},
		{"too long", "weft" + Pad(), []string{long, long}, long[:len("weft")+Room-tailLen], long[:15]},
		{"not padded", "/usr/bin/program", []string{"weft:a"}, "/usr/bin/program", "exe"},
		{"short and not padded", "p", []string{"weft:a"}, "p", "exe"},
		{"some spaces", "program" + strings.Repeat(" ", tailLen-1), []string{"weft:a"},
			"program" + strings.Repeat(" ", tailLen-1), "exe"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			cmd := &exec.Cmd{
				Path:   "/proc/self/exe",
				Args:   []string{test.argv0, "serve", "two words"},
				Env:    []string{roleVar + "=titles", "LAST=1", "GORACE=atexit_sleep_ms=0"},
				Stderr: os.Stderr,
			}
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer cmd.Wait()
			defer in.Close()
			said := bufio.NewReader(out)
			for _, text := range test.say {
				fmt.Fprintln(in, text)
				if line, err := said.ReadString('\n'); err != nil || line != "set\n" {
					t.Fatalf("child said %q, %v", line, err)
				}
			}

			show := func(file string) string {
				t.Helper()
				data, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", cmd.Process.Pid, file))
				if err != nil {
					t.Fatal(err)
				}
				return string(data)
			}
			argv := show("cmdline")
			if got := strings.TrimRight(argv[:len(test.argv0)], "\x00"); got != test.want {
				t.Errorf("argv[0] %q, want %q", got, test.want)
			}
			if got, want := argv[len(test.argv0):], "\x00serve\x00two words\x00"; got != want {
				t.Errorf("other arguments %q, want %q", got, want)
			}
			if got, want := show("environ"), strings.Join(cmd.Env, "\x00")+"\x00"; got != want {
				t.Errorf("environment %q, want %q", got, want)
			}
			if got := show("comm"); got != test.comm+"\n" {
				t.Errorf("comm %q, want %q", got, test.comm)
			}
		})
	}
}
