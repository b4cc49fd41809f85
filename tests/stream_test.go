//go:build linux

package weft_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"weft/broker"
	"weft/internal/ledger"
	"weft/taskspec"
)

// A chunk is a message of a task that streams its output.
type chunk struct {
	Type, Stream, Encoding, Data string
	Chunk, Size                  int
	Final                        bool
}

// bytes are what the chunk holds.
func (c chunk) bytes(t *testing.T) string {
	t.Helper()
	if c.Encoding != "base64" {
		return c.Data
	}
	data, err := base64.StdEncoding.DecodeString(c.Data)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// outbox reads what a task that has ended has left: its streams, put together
// from chunks, which must be in order, and its result.
func (p *project) outbox(tid string) (streams map[string]string, result string) {
	p.t.Helper()
	streams = make(map[string]string)
	next := make(map[string]int)
	record := p.task(tid)
	for m, err := range p.open().Queue(ledger.QueuesOf(tid).Outbox).Messages(p.ctx, broker.Select{}) {
		if err != nil {
			p.t.Fatal(err)
		}
		if m.ID == record.Result {
			result = m.Body
			continue
		}
		var c chunk
		if err := json.Unmarshal([]byte(m.Body), &c); err != nil {
			p.t.Fatalf("chunk %s: %v", m.Body, err)
		}
		text := c.bytes(p.t)
		if c.Type != "stream" || c.Size != len(text) || c.Chunk != next[c.Stream] || result != "" {
			p.t.Errorf("chunk %d of %s is %.200s", next[c.Stream], c.Stream, m.Body)
		}
		if next[c.Stream]++; c.Final {
			next[c.Stream] = -1 // of which there is none
		}
		streams[c.Stream] += text
	}
	if next["stdout"] != -1 || next["stderr"] != -1 {
		p.t.Errorf("the last chunks are not final: %v", next)
	}
	return streams, result
}

// awaitChunk waits until a chunk with the text is in the outbox.
func (p *project) awaitChunk(tid, text string) {
	p.t.Helper()
	for m, err := range p.open().Queue(ledger.QueuesOf(tid).Outbox).Watch(p.ctx, broker.WatchOptions{Peek: true}) {
		if err != nil {
			p.t.Fatalf("wait for %q: %v", text, err)
		}
		if strings.Contains(m.Body, text) {
			return
		}
	}
}

// streaming is a shell task that streams its output.
func streaming(script string, args ...string) *taskspec.Spec {
	s := shell(script, args...)
	s.StreamOutput = true
	return s
}

// TestKillManagerOfStream kills the manager of a task that prints, at any time:
// no chunk is lost, and none comes twice.
func TestKillManagerOfStream(t *testing.T) {
	t.Parallel()
	const lines = 120
	for _, kill := range []int{0, 1, 10, 59, 60, 61} {
		t.Run(fmt.Sprint("line ", kill), func(t *testing.T) {
			t.Parallel()
			p := newProject(t)
			proceed := p.fifo("proceed")
			c := p.client(call{Do: "submit", Spec: streaming(
				`while read -r line; do [ "$line" != end ] || break; echo "$line"; echo "oh, $line" >&2; done <"$1"`, proceed.Path)})
			tid := c.accepted()
			p.await("the task to begin", func(e ledger.Event) bool { return e.TID == tid && e.Event == "work_started" })
			var stdout, stderr strings.Builder
			for i := range lines {
				line := fmt.Sprintf("line %d: ä€😀", i)
				fmt.Fprintln(&stdout, line)
				fmt.Fprintln(&stderr, "oh,", line)
				proceed.Write(line + "\n")
				if i == kill {
					p.kill(p.manager())
				}
				if i%30 == 15 {
					p.awaitChunk(tid, line)
				}
			}
			proceed.Write("end\n")
			if task := p.awaitEnd(tid); task.Status != taskspec.StatusCompleted {
				t.Errorf("task %s: %s", task.Status, task.Error)
			}
			streams, result := p.outbox(tid)
			if streams["stdout"] != stdout.String() || streams["stderr"] != stderr.String() || result != stdout.String() {
				t.Errorf("stdout has %d bytes in chunks and %d in the result, want %d; stderr %d, want %d",
					len(streams["stdout"]), len(result), stdout.Len(), len(streams["stderr"]), stderr.Len())
			}
			if got := p.client(call{Do: "result", TID: tid}).answer(); got.Output != stdout.String() {
				t.Errorf("the client has %d bytes, want %d", len(got.Output), stdout.Len())
			}
			if held := p.held()[ledger.QueuesOf(tid).Outbox]; len(held) > 0 {
				t.Errorf("%d messages are left when the result has been taken", len(held))
			}
		})
	}
}

// TestStreamWaitsForNobody lets a task print while its manager stands still: it
// prints all it has to, and its chunks come when the manager goes on.
func TestStreamWaitsForNobody(t *testing.T) {
	t.Parallel()
	const size = 3_000_000
	p := newProject(t)
	tell, proceed := p.fifo("tell"), p.fifo("proceed")
	c := p.client(call{Do: "submit", Spec: streaming(
		`echo begun; read -r line <"$2"; yes | head -c $3; yes | head -c $3 | tr 'y' '\377' >&2; echo printed >"$1"; read -r line <"$2"`,
		tell.Path, proceed.Path, fmt.Sprint(size))})
	tid := c.accepted()
	p.awaitChunk(tid, "begun")
	manager := p.manager()
	p.signal(manager, syscall.SIGSTOP)
	proceed.Open(1)
	tell.Read()
	p.signal(manager, syscall.SIGCONT)
	proceed.Open(1)
	p.awaitEnd(tid)
	streams, result := p.outbox(tid)
	stdout := "begun\n" + strings.Repeat("y\n", size/2)
	if streams["stdout"] != stdout || result != stdout || streams["stderr"] != strings.Repeat("\xff\n", size/2) {
		t.Errorf("chunks have %d and %d bytes, the result %d", len(streams["stdout"]), len(streams["stderr"]), len(result))
	}
	if got := p.client(call{Do: "result", TID: tid}).answer(); got.Output != stdout {
		t.Errorf("the client has %d bytes, want %d", len(got.Output), len(stdout))
	}
}

// TestPendingResultsOfStream finds the result of a task behind its chunks, and none of a
// task that was lost; whose chunks stay, for they are all there is of its output.
func TestPendingResultsOfStream(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	proceed := p.fifo("proceed")
	whole := p.client(call{Do: "submit", Spec: streaming("echo whole")}).accepted()
	p.awaitEnd(whole)
	lost := p.client(call{Do: "submit", Spec: streaming(`echo half; read -r line <"$1"`, proceed.Path)}).accepted()
	p.awaitChunk(lost, "half")
	p.kill(p.task(lost).Consumer)
	p.awaitEnd(lost)
	pending, _, err := p.open().PendingResults(p.ctx, 0)
	if err != nil || len(pending) != 1 || pending[0].TID() != whole {
		t.Errorf("pending are %v, %v; want %s", pending, err, whole)
	}
	for tid, left := range map[string]int{whole: 0, lost: 1} {
		task, err := p.open().Task(p.ctx, tid)
		if err != nil {
			t.Fatal(err)
		}
		if err := task.Discard(p.ctx); err != nil {
			t.Fatal(err)
		}
		outbox := p.open().Queue(ledger.QueuesOf(tid).Outbox)
		if n, err := outbox.Delete(p.ctx, broker.Select{}); n != left || err != nil {
			t.Errorf("%d messages are left of task %s, %v; want %d", n, tid, err, left)
		}
	}
}
