package brokertest

import (
	"context"
	"runtime"
	"sync"
	"testing"

	"weft/broker"
)

// An outcome is how a call ended.
type outcome struct {
	err      error
	panicked any
	gone     bool // it did not return: its goroutine was ended
}

// start runs call on a goroutine of its own.
func start(call func() error) <-chan outcome {
	c := make(chan outcome, 1)
	go func() {
		o := outcome{gone: true}
		defer func() {
			if o.panicked = recover(); o.panicked != nil {
				o.gone = false
			}
			c <- o
		}()
		o.err = call()
		o.gone = false
	}()
	return c
}

// A witness is a context that tells when somebody first asks for its Done:
// when a call begins to wait for something that may take longer than ctx.
type witness struct {
	context.Context
	once  sync.Once
	asked chan struct{}
}

func newWitness(ctx context.Context) *witness {
	return &witness{Context: ctx, asked: make(chan struct{})}
}

func (w *witness) Done() <-chan struct{} {
	w.once.Do(func() { close(w.asked) })
	return w.Context.Done()
}

// hold starts a transaction and returns while it runs; it ends, as end does,
// when release is called.
func (s *store) hold(t testing.TB, end func(tx *broker.Tx) error) (release func() outcome) {
	begun, gate := make(chan struct{}), make(chan struct{})
	begin, open := sync.OnceFunc(func() { close(begun) }), sync.OnceFunc(func() { close(gate) })
	c := start(func() error {
		return s.Update(context.Background(), func(tx *broker.Tx) error {
			begin()
			<-gate
			return end(tx)
		})
	})
	t.Cleanup(open)
	soon(t, "the beginning of a transaction", begun)
	return func() outcome {
		open()
		return soon(t, "the end of a transaction", c)
	}
}

// queue starts calls one after the other while a transaction is held, and
// returns when all of them wait.
func queue(t testing.TB, calls ...func(context.Context) error) (cs []<-chan outcome) {
	for _, call := range calls {
		ctx := newWitness(context.Background())
		cs = append(cs, start(func() error { return call(ctx) }))
		soon(t, "waiting for the transaction that is held", ctx.asked)
	}
	return cs
}

// writing is a transaction that writes body to queue and then ends as end does.
func (s *store) writing(queue, body string, end func() error) func(context.Context) error {
	return func(ctx context.Context) error {
		return s.Update(ctx, func(tx *broker.Tx) error {
			if _, err := tx.Write(queue, body); err != nil {
				return err
			}
			return end()
		})
	}
}

// The ways in which a function given to Update can end.
func succeed() error { return nil }
func refuse() error  { return errRefused }
func panics() error  { panic(errRefused) }
func exit() error    { runtime.Goexit(); return nil }
