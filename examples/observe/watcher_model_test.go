package observe

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"weft/broker"
	"weft/internal/waittest"
)

// TestWatcherModel compares a watcher with lists, while its handler writes to
// the queues and fails.
func TestWatcherModel(t *testing.T) {
	t.Parallel()
	b := opened(t)
	runs := 0
	rapid.Check(t, func(r *rapid.T) {
		runs++
		prefix := fmt.Sprintf("run%d.", runs)
		m := &model{r: r, b: b, prefix: prefix, mode: rapid.SampledFrom([]Mode{Read, Peek, Reserve}).Draw(r, "mode"),
			waiting: map[string][]string{}, kept: map[string][]string{}, turns: map[string]int{}}
		for range rapid.IntRange(1, 12).Draw(r, "written before") {
			m.write()
		}
		m.before = m.written
		w := Watcher{Broker: b, Queues: []string{prefix + "a", prefix + "b"}, Control: prefix + "control",
			Patterns: []broker.Pattern{broker.Prefix(prefix)}, Mode: m.mode, Worker: "worker",
			Failed: func(broker.Message, error) Verdict { return Skip }}
		ctx, cancel := context.WithTimeout(context.Background(), waittest.Limit())
		defer cancel()
		if err := w.Run(ctx, m.handle); err != nil {
			r.Fatal(err)
		}
		m.compare()
	})
}

// A model knows what a watcher has still to hand out, and what has to be left.
type model struct {
	r       *rapid.T
	b       *broker.Broker
	prefix  string
	mode    Mode
	written int
	waiting map[string][]string // by queue, without the prefix
	kept    map[string][]string // bodies that must be in the store at the end
	before  int                 // of written, when the watcher began
	turns   map[string]int      // messages handed out since the queue had its last turn
}

// write writes a message to one of the queues.
func (m *model) write() {
	queue := rapid.SampledFrom([]string{"a", "b", "d", "control"}).Draw(m.r, "queue")
	body := fmt.Sprint(m.written)
	m.written++
	if _, err := m.b.Queue(m.prefix+queue).Write(context.Background(), body); err != nil {
		m.r.Fatal(err)
	}
	m.waiting[queue] = append(m.waiting[queue], body)
}

func (m *model) handle(_ context.Context, got broker.Message) error {
	queue := got.Queue[len(m.prefix):]
	if len(m.waiting[queue]) == 0 || m.waiting[queue][0] != got.Body {
		m.r.Fatalf("handed out %q of %q, waiting are %v", got.Body, queue, m.waiting)
	}
	if queue != "control" {
		m.takeTurn(queue)
	}
	m.waiting[queue] = m.waiting[queue][1:]
	if m.mode == Peek && queue != "control" {
		m.kept[queue] = append(m.kept[queue], got.Body)
	}
	if m.written < 25 {
		for range rapid.IntRange(0, 2).Draw(m.r, "written meanwhile") {
			m.write()
		}
	}
	if rapid.IntRange(0, 4).Draw(m.r, "fails") == 0 && m.left() > 0 {
		if m.mode == Reserve && queue != "control" {
			m.kept["worker."+queue] = append(m.kept["worker."+queue], got.Body)
		}
		return errFailed
	}
	if m.left() == 0 {
		return ErrDone
	}
	return nil
}

// takeTurn checks that control is served first, and that a queue which has been
// holding messages since the watcher began waits for at most one message of
// each of the two others. A queue that was empty meanwhile is served from its
// ring on, and that takes time.
func (m *model) takeTurn(queue string) {
	if len(m.waiting["control"]) > 0 {
		m.r.Fatalf("handed out a message of %q, waiting are %v", queue, m.waiting)
	}
	for _, other := range []string{"a", "b", "d"} {
		if len(m.waiting[other]) == 0 || other == queue {
			m.turns[other] = 0
			continue
		}
		oldest, err := strconv.Atoi(m.waiting[other][0])
		if m.turns[other]++; err != nil || oldest < m.before && m.turns[other] > 2 {
			m.r.Fatalf("%q waits for its turn, waiting are %v", other, m.waiting)
		}
	}
}

// left is how many messages are still to be handed out.
func (m *model) left() (n int) {
	for _, bodies := range m.waiting {
		n += len(bodies)
	}
	return n
}

// compare compares what is left in the store, and empties it.
func (m *model) compare() {
	left := map[string][]string{}
	for _, queue := range []string{"a", "b", "d", "control", "worker.a", "worker.b", "worker.d"} {
		name := m.prefix + queue
		if from, ok := strings.CutPrefix(queue, "worker."); ok {
			name = "worker." + m.prefix + from
		}
		ms, err := m.b.Queue(name).ReadAll(context.Background(), broker.Select{})
		if err != nil {
			m.r.Fatal(err)
		}
		for _, msg := range ms {
			left[queue] = append(left[queue], msg.Body)
		}
	}
	if diff := cmp.Diff(m.kept, left); diff != "" {
		m.r.Fatalf("left (-want +got):\n%s", diff)
	}
}
