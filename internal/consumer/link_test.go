package consumer

import (
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weft/internal/ledger"
	"weft/internal/proc"
	"weft/taskspec"
)

// links are the two ends of a connection.
func links(t *testing.T) (*ManagerLink, *ConsumerLink) {
	a, b := net.Pipe()
	manager, consumer := NewLink[Report, Order](a), NewLink[Order, Report](b)
	t.Cleanup(func() { manager.Close(); consumer.Close() })
	return manager, consumer
}

// exchange sends v from one end and returns what the other receives.
func exchange[T, X any](t *testing.T, from *Link[X, T], to *Link[T, X], v T) T {
	t.Helper()
	sent := make(chan error, 1)
	go func() { sent <- from.Send(v) }()
	got, err := to.Receive()
	if err := errors.Join(err, <-sent); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestLinkCarries(t *testing.T) {
	t.Parallel()
	manager, consumer := links(t)
	process := proc.Identity{PID: 7, Ticks: 1 << 60, Boot: "b"}
	orders := []Order{
		{Task: &ledger.Assignment{
			TID: "1763740800000000000", Epoch: 2, Name: "näme", Root: "/p", WeftDir: "/p/.weft",
			Argv: []string{"sh", "", "a b", "<&>\u2028\x01"}, Dir: "/tmp", Stdin: "line\n\x00\n", Input: "ab",
			Env: "key", EnvBlock: []byte("A=\xff\x00B=2"), MaxMessage: 9, Durability: "full",
			Work: taskspec.Work{
				Type: taskspec.KindCommand, ReservedPolicyOnError: taskspec.PolicyRequeue, ReservedPolicyOnStop: taskspec.PolicyClear,
				Env: map[string]string{"C": "\xff"}, Timeout: time.Nanosecond, StopGrace: new(5 * time.Second),
				Limits:          taskspec.Limits{MemoryMB: new(0.1), CPUPercent: new(150.5), MaxFDs: new(7), MaxConnections: new(0)},
				PollingInterval: 1, ReportingInterval: taskspec.ReportPoll, OutputSizeLimitMB: new(1e-6), StreamOutput: true,
				OnManagerLoss: taskspec.LossStop, Retry: &taskspec.RetryPolicy{MaxAttempts: new(2)},
			},
		}},
		{Start: &Permit{Message: "1763740800000004096"}},
		{Revoke: true},
		{End: RequestStop},
		{Ack: 1},
		{ChunksRecorded: 2},
	}
	for _, want := range orders {
		if diff := cmp.Diff(want, exchange(t, manager, consumer, want)); diff != "" {
			t.Errorf("order (-sent +received):\n%s", diff)
		}
	}
	reports := []Report{
		{Hello: &Hello{Protocol: 1, Build: "v1", Process: process}},
		{Started: &process},
		{Used: &ledger.Usage{MemoryMB: 0.5, CPUPercent: 200, FDs: 3, Connections: 1}},
		{Chunks: &ledger.Chunks{TID: "1763740800000000000", Epoch: 2, Seq: 1, Chunks: []ledger.Chunk{
			{Stream: ledger.Stderr, Number: 3, Final: true, Data: []byte("\xff\x00")},
		}}},
		{Finished: &ledger.HandOff{
			TID: "1763740800000000000", Epoch: 2, Seq: 1, Process: process, Outcome: taskspec.Exited(3, "no such file"),
			Output: ledger.Output{Form: ledger.FormBytes, Size: 2, Digest: "d1", Stderr: []byte("\xfe"), StderrSize: 1 << 40},
			Result: []byte("\xff\x00"), Preview: "p", Usage: ledger.Usage{CPUSeconds: 0.1, PeakMemoryMB: 2.5, PeakCPUPercent: 99.5, PeakFDs: 3, PeakConnections: 4}, Ended: time.Unix(1_763_740_800, 0),
		}},
	}
	for _, want := range reports {
		if diff := cmp.Diff(want, exchange(t, consumer, manager, want)); diff != "" {
			t.Errorf("report (-sent +received):\n%s", diff)
		}
	}
}

// A task that lost its manager must hear of it, on either side and in the
// middle of a word.
func TestLinkEnds(t *testing.T) {
	t.Parallel()
	t.Run("closed here", func(t *testing.T) {
		t.Parallel()
		manager, _ := links(t)
		manager.Close()
		if err := manager.Send(Order{Revoke: true}); err == nil {
			t.Error("sent over a closed link")
		}
		if _, err := manager.Receive(); err == nil {
			t.Error("received over a closed link")
		}
	})
	t.Run("closed there", func(t *testing.T) {
		t.Parallel()
		manager, consumer := links(t)
		consumer.Close()
		if err := manager.Send(Order{Revoke: true}); err == nil {
			t.Error("sent to a closed end")
		}
		if _, err := manager.Receive(); !errors.Is(err, io.EOF) {
			t.Errorf("got error %v, want %v", err, io.EOF)
		}
	})
	t.Run("closed while waiting", func(t *testing.T) {
		t.Parallel()
		manager, consumer := links(t)
		received := make(chan error)
		go func() { _, err := manager.Receive(); received <- err }()
		consumer.Close()
		if err := <-received; err == nil {
			t.Error("received from a closed end")
		}
	})
	for name, half := range map[string]string{"half a value": `{"drop":`, "not JSON": "hello\n"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := net.Pipe()
			link := NewLink[Order, Report](b)
			defer link.Close()
			go func() {
				_, _ = io.WriteString(a, half)
				a.Close()
			}()
			if v, err := link.Receive(); err == nil {
				t.Errorf("received %+v", v)
			}
		})
	}
}

// Several goroutines of a consumer report at once.
func TestLinkConcurrentSends(t *testing.T) {
	t.Parallel()
	manager, consumer := links(t)
	const senders, each = 8, 20
	var sending sync.WaitGroup
	for range senders {
		sending.Go(func() {
			for range each {
				if err := consumer.Send(Report{Finished: &ledger.HandOff{Preview: strings.Repeat("x", 5000)}}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range senders * each {
		r, err := manager.Receive()
		if err != nil {
			t.Fatal(err)
		}
		if r.Finished == nil || len(r.Finished.Preview) != 5000 {
			t.Fatalf("received %+v", r)
		}
	}
	sending.Wait()
}

func TestOrderFor(t *testing.T) {
	t.Parallel()
	for command, want := range map[ledger.Command]Order{
		ledger.CommandStop: {End: RequestStop}, ledger.CommandKill: {End: RequestKill},
		ledger.CommandPause: {Pause: new(true)}, ledger.CommandResume: {Pause: new(false)},
		ledger.CommandPing: {}, ledger.CommandStatus: {}, "DANCE": {},
	} {
		if diff := cmp.Diff(want, OrderFor(command)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", command, diff)
		}
	}
}
