package consumer

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"weft/internal/ledger"
	"weft/taskspec"
)

// stream is an output in a folder of its own, and how often it rang.
func stream(t testing.TB) (o *output, rings *int) {
	t.Helper()
	rings = new(int)
	o = newOutput(filepath.Join(t.TempDir(), "1.1.out"), func() { *rings++ }, nil)
	t.Cleanup(func() {
		if o.file != nil {
			o.file.Close()
		}
	})
	return o, rings
}

// wantFile compares the stream's file, nil if there is to be none.
func (o *output) wantFile(t testing.TB, want []byte) {
	t.Helper()
	got, err := os.ReadFile(o.path)
	if errors.Is(err, os.ErrNotExist) != (want == nil) || !bytes.Equal(want, got) {
		t.Errorf("file holds %d bytes, %v; want %d", len(got), err, len(want))
	}
}

// text is n bytes of text, no two parts of which look the same.
func text(n int) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < n; i++ {
		b.WriteString("line ")
		b.WriteString(strings.Repeat(string(rune('a'+i%26)), i%50))
		b.WriteByte('\n')
	}
	return b.Bytes()[:n]
}

func TestOutputGoesToItsFile(t *testing.T) {
	t.Parallel()
	t.Run("when it is large", func(t *testing.T) {
		t.Parallel()
		o, rings := stream(t)
		all := text(64<<10 + 7)
		o.add(all[:10])
		o.add(all[10 : 64<<10])
		o.wantFile(t, nil)
		o.add(all[64<<10 : 64<<10+1])
		o.wantFile(t, all[:64<<10+1])
		o.add(all[64<<10+1:]) // from now on at once
		o.wantFile(t, all)
		if *rings != 2 {
			t.Errorf("rang %d times, want 2", *rings)
		}
	})
	t.Run("when it is followed", func(t *testing.T) {
		t.Parallel()
		o, rings := stream(t)
		o.add([]byte("one"))
		o.live()
		o.wantFile(t, []byte("one"))
		o.add([]byte("two"))
		o.wantFile(t, []byte("onetwo"))
		if *rings != 2 {
			t.Errorf("rang %d times, want 2", *rings)
		}
	})
	t.Run("not while there is none", func(t *testing.T) {
		t.Parallel()
		o, rings := stream(t)
		o.live()
		o.wantFile(t, nil)
		if *rings != 0 {
			t.Errorf("rang %d times, want 0", *rings)
		}
		o.add([]byte("one"))
		o.wantFile(t, []byte("one"))
	})
}

// Whatever the pieces, everything is kept, in the file or not, with the right
// end and the right digest.
func TestDrain(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 64<<10 - 1, 64 << 10, 64<<10 + 1, 128 << 10, 128<<10 + 1, 1 << 20} {
		for name, followed := range map[string]bool{"followed": true, "not followed": false} {
			o, _ := stream(t)
			all := text(size)
			if followed {
				o.live()
			}
			_, _ = io.Copy(o, iotest.DataErrReader(iotest.HalfReader(bytes.NewReader(all))))
			o.close()
			got, ok := o.inline(int64(size))
			if !ok || !bytes.Equal(all, got) || o.size != int64(size) {
				t.Errorf("%d bytes, %s: %d came back, size %d", size, name, len(got), o.size)
			}
			end := o.tail[max(0, len(o.tail)-stderrTail):]
			if !bytes.Equal(all[max(0, size-64<<10):], end) {
				t.Errorf("%d bytes, %s: the end has %d", size, name, len(end))
			}
			if len(o.tail) > 128<<10+32<<10 || len(o.buf) > 64<<10 {
				t.Errorf("%d bytes, %s: holds %d and %d in memory", size, name, len(o.tail), len(o.buf))
			}
			if err := o.keep(); err != nil {
				t.Fatal(err)
			}
			if size > 0 { // else the file is there and empty
				o.wantFile(t, all)
			}
			o.discard()
			o.wantFile(t, nil)
		}
	}
}

func TestResult(t *testing.T) {
	t.Parallel()
	binary := func(n int) []byte { return append(text(n-1), 0xff) }
	const big = 1 << 20
	for name, test := range map[string]struct {
		stdout     []byte
		limit      int64
		maxMessage int
		form       ledger.Form
	}{
		"nothing":                      {nil, 10, big, ledger.FormText},
		"nothing, and nothing allowed": {nil, 0, big, ledger.FormText},
		"text at the limit":            {text(1000), 1000, big, ledger.FormText},
		"text above the limit":         {text(1001), 1000, big, ledger.FormFile},
		"text at a message":            {text(2000), big, 2000, ledger.FormText},
		"text above a message":         {text(2001), big, 2000, ledger.FormFile},
		"text from its file":           {text(200_000), 200_000, big, ledger.FormText},
		"text that stays in its file":  {text(200_001), 200_000, big, ledger.FormFile},
		"binary":                       {binary(10), 1000, big, ledger.FormBytes},
		"binary at the limit":          {binary(1000), 1000, big, ledger.FormBytes},
		"binary above the limit":       {binary(1001), 1000, big, ledger.FormFile},
		"binary at a message":          {binary(4000/4*3 - 256), big, 4000, ledger.FormBytes},
		"binary above a message":       {binary(4000/4*3 - 255), big, 4000, ledger.FormFile},
		"text, cut in a character":     {[]byte("abc\xc3"), 1000, big, ledger.FormBytes},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, _ := stream(t)
			errs, _ := stream(t)
			out.add(test.stdout)
			errs.add([]byte("oops"))
			out.close()
			errs.close()
			h := &ledger.HandOff{Outcome: taskspec.Exited(0, "")}
			kept := result(h, out, errs, test.limit, test.maxMessage, false)
			want := ledger.Output{Form: test.form, Size: int64(len(test.stdout)), Stderr: []byte("oops"), StderrSize: 4}
			if h.Output.Form != want.Form || h.Output.Size != want.Size || string(h.Output.Stderr) != "oops" || h.Output.StderrSize != 4 || h.Outcome.Error != "" {
				t.Errorf("%+v, %q", h.Output, h.Outcome.Error)
			}
			switch test.form {
			case ledger.FormFile:
				if len(kept) != 1 || kept[0] != out || h.Result != nil || h.Output.Digest == "" {
					t.Errorf("kept %v, result of %d bytes, digest %q", kept, len(h.Result), h.Output.Digest)
				}
				out.wantFile(t, test.stdout)
			default:
				if kept != nil || !bytes.Equal(test.stdout, h.Result) || h.Output.Digest != "" {
					t.Errorf("kept %v, result of %d bytes, digest %q", kept, len(h.Result), h.Output.Digest)
				}
				size := len(h.Result)
				if test.form == ledger.FormBytes {
					size = base64.StdEncoding.EncodedLen(size) + len(`{"type":"bytes","encoding":"base64","data":""}`)
				}
				if size > test.maxMessage {
					t.Errorf("the message has %d bytes, more than %d", size, test.maxMessage)
				}
			}
		})
	}
}

// The end of the standard error stays in the record, all of it in its file if
// that is more.
func TestResultStderr(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 64 << 10, 64<<10 + 1, 300_000} {
		out, _ := stream(t)
		errs, _ := stream(t)
		all := text(size)
		errs.add(all)
		out.close()
		errs.close()
		h := &ledger.HandOff{}
		kept := result(h, out, errs, 1<<20, 1<<20, false)
		if !bytes.Equal(all[max(0, size-64<<10):], h.Output.Stderr) || h.Output.StderrSize != int64(size) || h.Output.StderrTruncated() != (len(kept) == 1) {
			t.Errorf("%d bytes: %d in the record, %d in all, kept %v", size, len(h.Output.Stderr), h.Output.StderrSize, kept)
		}
		if size > 64<<10 {
			errs.wantFile(t, all)
		}
	}
}

func TestPreview(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ content, want string }{
		"nothing":           {"", ""},
		"short":             {"héllo\n", "héllo\n"},
		"exactly":           {strings.Repeat("x", 1024), strings.Repeat("x", 1024)},
		"longer":            {strings.Repeat("x", 1025), strings.Repeat("x", 1024)},
		"two bytes cut":     {strings.Repeat("x", 1023) + "é", strings.Repeat("x", 1023)},
		"two bytes fit":     {strings.Repeat("x", 1022) + "é", strings.Repeat("x", 1022) + "é"},
		"four bytes, 1":     {strings.Repeat("x", 1023) + "😀", strings.Repeat("x", 1023)},
		"four bytes, 2":     {strings.Repeat("x", 1022) + "😀", strings.Repeat("x", 1022)},
		"four bytes, 3":     {strings.Repeat("x", 1021) + "😀", strings.Repeat("x", 1021)},
		"four bytes fit":    {strings.Repeat("x", 1020) + "😀", strings.Repeat("x", 1020) + "😀"},
		"binary":            {"\xff" + strings.Repeat("x", 2000), ""},
		"binary at the cut": {strings.Repeat("x", 1022) + "\xff\xffyyy", strings.Repeat("x", 1022)},
		"ends in a half":    {"abc\xc3", "abc"},
	} {
		o, _ := stream(t)
		if o.preview() != "" {
			t.Errorf("%s: a preview of nothing", name)
		}
		o.add([]byte(test.content))
		o.close()
		if err := o.keep(); err != nil {
			t.Fatal(err)
		}
		if got := o.preview(); got != test.want || !utf8.ValidString(got) {
			t.Errorf("%s: preview is %q, want %q", name, got, test.want)
		}
	}
}

// Output is written into a new file and nothing else: a task must not get
// another file of the user overwritten.
func TestOutputFileIsNew(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(path, victim string) error{
		"a file":          func(path, _ string) error { return os.WriteFile(path, []byte("old"), 0o600) },
		"a link":          func(path, victim string) error { return os.Symlink(victim, path) },
		"a dangling link": func(path, victim string) error { return os.Symlink(victim+"2", path) },
		"a hard link":     func(path, victim string) error { return os.Link(victim, path) },
		"a folder":        func(path, _ string) error { return os.Mkdir(path, 0o700) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if runtime.GOOS == "windows" {
				t.Skip("links need a privilege there")
			}
			out, _ := stream(t)
			errs, _ := stream(t)
			victim := filepath.Join(t.TempDir(), "victim")
			if err := os.WriteFile(victim, []byte("old"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := prepare(out.path, victim); err != nil {
				t.Fatal(err)
			}
			out.live()
			out.add(text(100_000)) // the task is not held up
			out.add(text(100_000))
			out.close()
			errs.close()
			h := &ledger.HandOff{Outcome: taskspec.Killed()}
			result(h, out, errs, 1<<20, 1<<20, false)
			if h.Output.Form != ledger.FormFile || !strings.HasPrefix(h.Outcome.Error, "killed; output is incomplete: open ") {
				t.Errorf("%+v, %q", h.Output, h.Outcome.Error)
			}
			if got, err := os.ReadFile(victim); err != nil || string(got) != "old" {
				t.Errorf("the other file holds %q, %v", got, err)
			}
			if _, err := os.Stat(victim + "2"); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("a file was created: %v", err)
			}
			out.discard()
			if _, err := os.Lstat(out.path); err != nil {
				t.Errorf("what was there was removed: %v", err)
			}
		})
	}
}

// A file that somebody has cut is not handed out as if it were whole.
func TestOutputFileIsCut(t *testing.T) {
	t.Parallel()
	out, _ := stream(t)
	errs, _ := stream(t)
	out.add(text(100_000))
	if err := os.Truncate(out.path, 50_000); err != nil {
		t.Fatal(err)
	}
	out.close()
	errs.close()
	h := &ledger.HandOff{Outcome: taskspec.Exited(0, "")}
	result(h, out, errs, 1<<20, 1<<20, false)
	if h.Output.Form != ledger.FormFile || h.Result != nil || !strings.HasPrefix(h.Outcome.Error, "output is incomplete: read output back: ") {
		t.Errorf("%+v, result of %d bytes, %q", h.Output, len(h.Result), h.Outcome.Error)
	}
}
