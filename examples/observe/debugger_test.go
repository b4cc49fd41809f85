package observe

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weft/broker"
)

func TestDebugger(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ü", previewBytes)
	tests := []struct {
		name, commands, want string
		left                 string
	}{
		{"steps", "next\nn\n\n\nnext\n", "1 \"a\"\n2 \"b\\x1b[2J\\n\"\n3 …\nno message\nno message\n", "123"},
		{"peek stays", "peek\np\n", "1 \"a\"\n1 \"a\"\n", "123"},
		{"skip and take", "skip\ntake\nrewind\nnext\nnext\n", "2 \"b\\x1b[2J\\n\"\n1 \"a\"\n3 …\n", "13"},
		{"take what was shown", "n\nn\nt\nt\nt\n", "1 \"a\"\n2 \"b\\x1b[2J\\n\"\n2 \"b\\x1b[2J\\n\"\n3 all\nno message\n", "1"},
		{"take the first", "t\nr\np\n", "1 \"a\"\n2 \"b\\x1b[2J\\n\"\n", "23"},
		{"all of it", "s\ns\np\n", "3 all\n", "123"},
		{"skip at the end", "s\ns\ns\ns\n", "no message\n", "123"},
		{"info", "i\nquit\nnext\n", "q: 3 pending\n", "123"},
		{"help", "help\nh\n", help + help, "123"},
		{"unknown", "rm \x07\n", "unknown command \"rm \\a\"\n" + help, "123"},
		{"last line without an end", "t", "1 \"a\"\n", "23"},
		{"nothing", "", "", "123"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := opened(t)
			ids := write(t, b, "q", "a", "b\x1b[2J\n", long)
			short := strings.NewReplacer(ids[0].String(), "1", ids[1].String(), "2", ids[2].String(), "3",
				`"`+long[:previewBytes]+`"… 1000 bytes`, "…", `"`+long+`"`, "all")
			var out strings.Builder
			must(t, Debug(b.Queue("q")).Run(t.Context(), strings.NewReader(tt.commands), &out))
			if diff := cmp.Diff(tt.want, short.Replace(out.String())); diff != "" {
				t.Errorf("printed (-want +got):\n%s", diff)
			}
			var left strings.Builder
			for m, err := range b.Queue("q").Messages(t.Context(), broker.Select{}) {
				must(t, err)
				left.WriteString(short.Replace(m.ID.String()))
			}
			if left.String() != tt.left {
				t.Errorf("left %q, want %q", left.String(), tt.left)
			}
		})
	}
}

// TestDebuggerTakesNoOther lets somebody else take the message that was shown.
func TestDebuggerTakesNoOther(t *testing.T) {
	t.Parallel()
	b := opened(t)
	write(t, b, "q", "a", "b")
	d := Debug(b.Queue("q"))
	_, err := d.Next(t.Context())
	must(t, err)
	_, err = b.Queue("q").Read(t.Context())
	must(t, err)
	if m, err := d.Take(t.Context()); !errors.Is(err, broker.ErrEmpty) {
		t.Errorf("took %v, error %v", m, err)
	}
	m, err := d.Next(t.Context())
	must(t, err)
	if m.Body != "b" {
		t.Errorf("next is %v, want b", m)
	}
}

func TestDebuggerErrors(t *testing.T) {
	t.Parallel()
	b := opened(t)
	ended, cancel := context.WithCancelCause(t.Context())
	reason := errors.New("enough")
	cancel(reason)
	if err := Debug(b.Queue("q")).Run(ended, strings.NewReader("n\n"), io.Discard); !errors.Is(err, reason) {
		t.Errorf("error %v, want %v", err, reason)
	}
	r, w := io.Pipe()
	r.CloseWithError(reason)
	if err := Debug(b.Queue("q")).Run(t.Context(), strings.NewReader("n\n"), w); !errors.Is(err, reason) {
		t.Errorf("error %v, want %v", err, reason)
	}
	if err := Debug(b.Queue("q")).Run(t.Context(), r, io.Discard); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("error %v, want %v", err, io.ErrClosedPipe)
	}
	var out strings.Builder
	must(t, Debug(b.Queue("no good")).Run(t.Context(), strings.NewReader("n\nt\ns\ni\n"), &out))
	if n := strings.Count(out.String(), "error: "); n != 4 {
		t.Errorf("printed %q, want 4 errors", &out)
	}
}
