package main

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"weft/internal/waittest"
)

// TestLargeOutput proves that a large output costs neither memory nor a second
// copy on disk.
func TestLargeOutput(t *testing.T) {
	t.Parallel()
	largeOutput(t, 64<<20)
}

// TestLongLargeOutput does it with 1 GiB.
func TestLongLargeOutput(t *testing.T) {
	waittest.NeedLong(t)
	largeOutput(t, 1<<30)
}

// TestLongLargeStream proves that the same is true of memory when the output
// also goes into the outbox: chunks wait in the file. The race detector makes
// the store too slow for that in the other tests.
func TestLongLargeStream(t *testing.T) {
	waittest.NeedLong(t)
	largeOutput(t, 256<<20, "--stream-output")
}

// growth is how much memory a process may need for a large output that it did
// not need for a small one: buffers, and what the collector has not freed yet.
const growth = 16 << 20

// largeOutput runs a task that prints so many bytes, after one that prints
// little, and compares what both needed.
func largeOutput(t *testing.T, size int, options ...string) {
	l := &large{T: t, dir: t.TempDir()}
	t.Cleanup(func() { stopProcesses(t, "HOME="+l.dir) })
	l.weft("init", "-q")
	defer l.weft("manager", "stop")

	const small = 256 << 10
	before := l.print(small, options...)
	before["client"] = l.fetch(small)
	began := time.Now()
	after := l.print(size, options...)
	took := time.Since(began)
	if files, others := l.disk(); len(files) != 1 || files[0] != int64(size) || others > 16<<20 && options == nil {
		t.Errorf("outputs have the sizes %d, and the rest %d bytes; want one of %d", files, others, size)
	} else {
		t.Logf("%d bytes printed in %v; on disk: one file of %d bytes, and %d bytes of the project", size, took.Round(time.Millisecond), files[0], others)
	}
	began = time.Now()
	after["client"] = l.fetch(size)
	t.Logf("weft result wrote them into a pipe in %v", time.Since(began).Round(time.Millisecond))
	if files, _ := l.disk(); len(files) != 1 || files[0] != int64(size) {
		t.Errorf("when the result has been taken, there are outputs of the sizes %d; want the one of %d", files, size)
	}
	for _, part := range []string{"client", "consumer", "manager"} {
		t.Logf("peak memory of the %s: %.1f MiB, for a small output %.1f MiB", part, mib(after[part]), mib(before[part]))
		if before[part] == 0 || after[part] > before[part]+growth {
			t.Errorf("%s: peak memory of %d bytes, after %d for a small output", part, after[part], before[part])
		}
	}
}

// line is what the task prints again and again.
const line = "0123456789abcde\n"

// A large is a project of a task with a large output.
type large struct {
	*testing.T
	dir string
}

// command is weft in the project.
func (l *large) command(args ...string) *exec.Cmd {
	l.Helper()
	exe, err := os.Executable()
	if err != nil {
		l.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Args = append([]string{"weft"}, args...) // see TestMain
	cmd.Dir, cmd.Stderr = l.dir, os.Stderr
	cmd.Env = append(os.Environ(), "HOME="+l.dir, "WEFT_CONTEXT="+l.dir, "GORACE=atexit_sleep_ms=0")
	return cmd
}

func (l *large) weft(args ...string) {
	l.Helper()
	if out, err := l.command(args...).Output(); err != nil {
		l.Fatalf("weft %q: %v\n%s", args, err, out)
	}
}

// print runs a task that prints so many bytes, and returns the peak memory of
// the manager and of the consumers.
func (l *large) print(size int, options ...string) map[string]int64 {
	l.Helper()
	script := fmt.Sprintf("yes %s | head -c %d", strings.TrimSpace(line), size)
	l.weft(slices.Concat([]string{"run", "--no-wait"}, options, []string{"sh", "-c", script})...)
	l.weft("wait", "@last")
	peaks := make(map[string]int64)
	for _, id := range processes("HOME=" + l.dir) {
		title, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", id.PID))
		if err != nil {
			continue // it has just ended
		}
		for _, part := range []string{"manager", "consumer"} {
			if bytes.Contains(title, []byte(part)) {
				peaks[part] = max(peaks[part], l.peak(id.PID))
			}
		}
	}
	return peaks
}

// fetch lets weft write the result into a pipe, checks it, and returns the peak
// memory of weft.
func (l *large) fetch(size int) (peak int64) {
	l.Helper()
	cmd := l.command("result", "@last")
	out, err := cmd.StdoutPipe()
	if err != nil {
		l.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		l.Fatal(err)
	}
	block := make([]byte, 16<<10)
	want := []byte(strings.Repeat(line, 2*len(block)/len(line)))
	total := 0
	for {
		n, err := out.Read(block)
		if at := total % len(line); !bytes.Equal(block[:n], want[at:at+n]) {
			l.Fatalf("wrong output after byte %d", total)
		}
		total += n
		// Near the end, but before it: a pipe does not hold what is left, so the
		// client is there.
		if left := size - total; peak == 0 && left <= 1<<20 {
			peak = l.peak(cmd.Process.Pid)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			l.Fatal(err)
		}
	}
	if err := cmd.Wait(); err != nil || total != size {
		l.Fatalf("weft result: %v after %d bytes, want %d", err, total, size)
	}
	return peak
}

// peak is the most memory that a process has had at a time, 0 if it has ended.
func (l *large) peak(pid int) int64 {
	l.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		l.Fatal(err)
	}
	_, value, _ := strings.Cut(string(status), "VmHWM:")
	value, _, _ = strings.Cut(value, "kB")
	kib, _ := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
	return kib << 10
}

// disk is what the project has on disk: the sizes of its outputs, and all else.
func (l *large) disk() (outputs []int64, others int64) {
	l.Helper()
	err := filepath.WalkDir(filepath.Join(l.dir, ".weft"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if filepath.Base(filepath.Dir(path)) == "outputs" {
			outputs = append(outputs, info.Size())
		} else {
			others += info.Size()
		}
		return nil
	})
	if err != nil {
		l.Fatal(err)
	}
	return outputs, others
}

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }
