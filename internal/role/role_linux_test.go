package role

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// TestMain makes the test binary what Weft makes of a program: executed again,
// it takes its role before anything else and reports what it got.
func TestMain(m *testing.M) {
	if os.Getenv("WEFT_ROLE_TEST") != "" {
		if err := json.NewEncoder(os.Stdout).Encode(take()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// A taken is what a process got from [Take].
type taken struct {
	Role   Role
	Heard  string   // what came through the connection
	Left   []string // variables that still name a role
	Open   []int    // those of the extra files that a program started now would get
	Held   []int    // those behind the first that are open
	Second Role     // a second Take
}

func take() (got taken) {
	r, conn := Take()
	got.Role = r
	for fd := 3; fd < 6; fd++ { // no test gives more than three
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			got.Open = append(got.Open, fd)
		}
	}
	for fd := 4; fd < 6; fd++ { // what the runtime has opened is neither a pipe nor a device
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err == nil && (st.Mode&unix.S_IFMT == unix.S_IFIFO || st.Mode&unix.S_IFMT == unix.S_IFCHR) {
			got.Held = append(got.Held, fd)
		}
	}
	for _, entry := range os.Environ() {
		if strings.HasPrefix(entry, "WEFT_ROLE=") {
			got.Left = append(got.Left, entry)
		}
	}
	got.Second, _ = Take()
	if conn != nil {
		// The runtime's poller must be able to wait for it: what blocks in the
		// kernel could not be closed by another goroutine.
		heard := make(chan string)
		go func() {
			data, err := io.ReadAll(conn)
			heard <- fmt.Sprint(string(data), err)
		}()
		_, _ = conn.WriteString("hello")
		_ = unix.Shutdown(int(conn.Fd()), unix.SHUT_WR)
		got.Heard = <-heard
	}
	return got
}

func TestTake(t *testing.T) {
	t.Parallel()
	const none = ""
	for name, test := range map[string]struct {
		entry string // of the environment
		files []func(*testing.T) *os.File
		want  taken
	}{
		"nothing":                  {none, nil, taken{}},
		"a socket only":            {none, files(socket), taken{Open: []int{3}}},
		"the variable only":        {Entry(Consumer), nil, taken{}},
		"the variable and a pipe":  {Entry(Consumer), files(pipe), taken{Open: []int{3}}},
		"the variable and a file":  {Entry(Manager), files(null), taken{Open: []int{3}}},
		"a consumer":               {Entry(Consumer), files(socket), taken{Role: Consumer, Heard: "hello back<nil>"}},
		"a manager":                {Entry(Manager), files(socket), taken{Role: Manager, Heard: "hello back<nil>"}},
		"with other descriptors":   {Entry(Consumer), files(socket, pipe, null), taken{Role: Consumer, Heard: "hello back<nil>"}},
		"a manager, with others":   {Entry(Manager), files(socket, pipe, null), taken{Role: Manager, Heard: "hello back<nil>"}},
		"a function, with others":  {Entry(Function), files(socket, pipe, null), taken{Role: Function, Heard: "hello back<nil>", Held: []int{4, 5}}},
		"a role that nobody knows": {"WEFT_ROLE=king", files(socket), taken{Open: []int{3}}},
		"an empty role":            {Entry(None), files(socket), taken{Open: []int{3}, Left: []string{"WEFT_ROLE="}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command("/proc/self/exe")
			cmd.Env = append(os.Environ(), "WEFT_ROLE_TEST=1", "GORACE=atexit_sleep_ms=0")
			if test.entry != none {
				cmd.Env = append(cmd.Env, test.entry)
			}
			cmd.Stderr = os.Stderr
			for _, open := range test.files {
				cmd.ExtraFiles = append(cmd.ExtraFiles, open(t))
			}
			out, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			var got taken
			if err := json.Unmarshal(out, &got); err != nil {
				t.Fatalf("%q: %v", out, err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("taken (-want +got):\n%s", diff)
			}
		})
	}
}

func files(open ...func(*testing.T) *os.File) []func(*testing.T) *os.File { return open }

// socket returns an end of a pair whose other end answers once and hangs up.
func socket(t *testing.T) *os.File {
	ours, theirs, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { theirs.Close() })
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		defer ours.Close()
		if _, err := io.CopyN(io.Discard, ours, int64(len("hello"))); err == nil {
			fmt.Fprint(ours, "hello back")
		}
	}()
	t.Cleanup(func() { ours.Close(); <-answered })
	return theirs
}

func pipe(t *testing.T) *os.File {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return r
}

func null(t *testing.T) *os.File {
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// Neither end of a pair reaches a program that is started meanwhile, and each
// can be waited for without holding a thread.
func TestPair(t *testing.T) {
	t.Parallel()
	ours, theirs, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []*os.File{ours, theirs} {
		defer f.Close()
		conn, err := f.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		err = conn.Control(func(fd uintptr) {
			if flags, err := unix.FcntlInt(fd, unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
				t.Errorf("not closed on exec: %x, %v", flags, err)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := f.SetDeadline(time.Unix(1, 0)); err != nil {
			t.Errorf("no deadlines: %v", err)
		}
		if _, err := f.Read(make([]byte, 1)); !os.IsTimeout(err) {
			t.Errorf("read past the deadline: %v", err)
		}
	}
}
