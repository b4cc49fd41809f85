package observe_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"weft/broker"
	"weft/broker/sqlite"
	"weft/examples/observe"
)

var ctx = context.Background()

// written is a store in a folder of its own with the messages in its queue
// "jobs". Its clock stands still, so that ids are known.
func written(jobs ...string) (b *broker.Broker, closeAll func()) {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	b, err = sqlite.Open(dir, sqlite.Options{Now: func() time.Time { return noon }})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := b.Queue("jobs").WriteAll(ctx, jobs); err != nil {
		log.Fatal(err)
	}
	return b, func() {
		if err := errors.Join(b.Close(), os.RemoveAll(dir)); err != nil {
			log.Fatal(err)
		}
	}
}

// show prints what is in a queue.
func show(b *broker.Broker, queue string) {
	for m, err := range b.Queue(queue).Messages(ctx, broker.Select{}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(queue, "holds", m.Body)
	}
}

// An observer that begins now sees what is written from then on.
func ExampleObserve() {
	b, closeAll := written("old")
	defer closeAll()

	info, err := b.Info(ctx)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := b.Queue("jobs").Write(ctx, "new"); err != nil {
		log.Fatal(err)
	}
	for m, err := range observe.Observe(ctx, b.Queue("jobs"), info.LastID, nil) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("seen", m.Body)
		break
	}
	show(b, "jobs")
	// Output:
	// seen new
	// jobs holds old
	// jobs holds new
}

// Every shows the first message of each three.
func ExampleEvery() {
	b, closeAll := written("1", "2", "3", "4", "5")
	defer closeAll()

	for m, err := range observe.Observe(ctx, b.Queue("jobs"), 0, observe.Every(3)) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("seen", m.Body)
		if m.Body == "4" {
			break
		}
	}
	// Output:
	// seen 1
	// seen 4
}

// Share decides about a message in the same way everywhere: two programs with
// the same seed show the same ones.
func ExampleShare() {
	half := observe.Share(0.5, 2026)
	seen := 0
	for id := range broker.ID(1000) {
		m := broker.Message{ID: id}
		if half(m) != observe.Share(0.5, 2026)(m) {
			log.Fatal("they differ")
		}
		if half(m) {
			seen++
		}
	}
	fmt.Println("about half:", seen > 400 && seen < 600)
	// Output: about half: true
}

// Spaced shows at most one message of each second.
func ExampleSpaced() {
	keep := observe.Spaced(time.Second)
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for _, after := range []time.Duration{0, 300 * time.Millisecond, 1100 * time.Millisecond, 2 * time.Second, 4 * time.Second} {
		if keep(broker.Message{ID: broker.IDAt(noon.Add(after))}) {
			fmt.Println(after)
		}
	}
	// Output:
	// 0s
	// 1.1s
	// 4s
}

// A consumer takes what it can do, and leaves the rest to others.
func ExampleConsume() {
	b, closeAll := written("resize cat.png", "mail ada", "resize dog.png")
	defer closeAll()

	resize := observe.Selection{Accept: func(m broker.Message) bool { return strings.HasPrefix(m.Body, "resize ") }}
	for m, err := range observe.Consume(ctx, b, "jobs", resize) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("do", m.Body)
		if m.Body == "resize dog.png" {
			break
		}
	}
	show(b, "jobs")
	// Output:
	// do resize cat.png
	// do resize dog.png
	// jobs holds mail ada
}

// A monitor goes on where the last one of its name has ended, however that
// was. Run does by itself what Forward does once.
func ExampleMonitor() {
	b, closeAll := written("a", "b")
	defer closeAll()

	for range 2 {
		m := observe.Monitor{Broker: b, From: "jobs", To: "audit"}
		n, err := m.Forward(ctx)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("copied", n)
	}
	show(b, "audit")
	// Output:
	// copied 2
	// copied 0
	// audit holds a
	// audit holds b
}

// A monitor that runs ends with its context.
func ExampleMonitor_Run() {
	b, closeAll := written("a", "b")
	defer closeAll()

	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error)
	go func() { ended <- (&observe.Monitor{Broker: b, From: "jobs", To: "audit"}).Run(ctx) }()
	for m, err := range b.Queue("audit").Watch(ctx, broker.WatchOptions{Limit: 2}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("audit got", m.Body)
	}
	cancel()
	fmt.Println(<-ended)
	// Output:
	// audit got a
	// audit got b
	// context canceled
}

// Forget makes a monitor copy everything once more.
func ExampleMonitor_Forget() {
	b, closeAll := written("a")
	defer closeAll()

	m := observe.Monitor{Broker: b, From: "jobs", To: "audit"}
	for range 2 {
		if _, err := m.Forward(ctx); err != nil {
			log.Fatal(err)
		}
		if err := m.Forget(ctx); err != nil {
			log.Fatal(err)
		}
	}
	show(b, "audit")
	// Output:
	// audit holds a
	// audit holds a
}

// A program steps through a queue and takes one message out of its middle.
func ExampleDebug() {
	b, closeAll := written("good", "bad", "good")
	defer closeAll()

	d := observe.Debug(b.Queue("jobs"))
	for {
		m, err := d.Next(ctx)
		if err != nil {
			log.Fatal(err)
		}
		if m.Body == "bad" {
			break
		}
	}
	m, err := d.Take(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("took", m.Body)
	show(b, "jobs")
	// Output:
	// took bad
	// jobs holds good
	// jobs holds good
}

// A person steps through a queue.
func ExampleDebugger_Run() {
	b, closeAll := written("resize cat.png", "beep\a")
	defer closeAll()

	typed := strings.NewReader("next\nnext\ntake\ninfo\n")
	if err := observe.Debug(b.Queue("jobs")).Run(ctx, typed, os.Stdout); err != nil {
		log.Fatal(err)
	}
	// Output:
	// 1795348800000000000 "resize cat.png"
	// 1795348800000000001 "beep\a"
	// 1795348800000000001 "beep\a"
	// jobs: 1 pending
}

// A worker serves its queues in turn, and its control queue before them.
func ExampleWatcher() {
	b, closeAll := written("a", "b")
	defer closeAll()
	for _, m := range [][2]string{{"mail.ada", "hello"}, {"control", "be quick"}} {
		if _, err := b.Queue(m[0]).Write(ctx, m[1]); err != nil {
			log.Fatal(err)
		}
	}

	w := observe.Watcher{
		Broker:   b,
		Control:  "control",
		Queues:   []string{"jobs"},
		Patterns: []broker.Pattern{broker.Prefix("mail.")},
		Mode:     observe.Reserve,
		Worker:   "worker1",
		Failed: func(m broker.Message, err error) observe.Verdict {
			fmt.Printf("%s: %v\n", m.Body, err)
			return observe.Skip
		},
	}
	err := w.Run(ctx, func(_ context.Context, m broker.Message) error {
		fmt.Println(m.Queue, "gives", m.Body)
		switch m.Body {
		case "a":
			return errors.New("does not work")
		case "b":
			return observe.ErrDone
		}
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	show(b, "worker1.jobs")
	// Output:
	// control gives be quick
	// jobs gives a
	// a: does not work
	// mail.ada gives hello
	// jobs gives b
	// worker1.jobs holds a
}
