// Package control hands orders to those who run tasks without the store, for when that
// cannot be written: on a full disk a task must end all the same.
//
// A manager, a consumer that has none, and a program that serves functions each have a
// socket in the project. Who has an order gives it to all of them; the one that it
// concerns says so, and says again when it has been carried out.
package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"weft/internal/ledger"
	"weft/internal/socket"
	"weft/taskspec"
)

// prefix begins the names of the sockets.
const prefix = "control."

// patience is how long an answer is waited for that takes no work, and an order from
// who has connected: a process that stands still connects, and says nothing.
const patience = 3 * time.Second

// maxOrder is the length of an order, and of an answer, in bytes.
const maxOrder = 64 << 10

// ErrNobody is returned where nobody runs what an order concerns.
var ErrNobody = errors.New("nobody took the order")

// An Order is what somebody is to do.
type Order struct {
	TID     string         `json:"tid,omitempty"` // the task; empty: the manager itself
	Command ledger.Command `json:"command"`
	// Queued: as far as the store says, the task has not begun, or is a pipeline. The
	// manager sees to it that it ends.
	Queued bool `json:"queued,omitempty"`
}

// known reports whether the order is one: a manager that gets another one of those
// without a task would end.
func (o Order) known() bool {
	switch o.Command {
	case ledger.CommandStop, ledger.CommandKill, ledger.CommandStatus, ledger.CommandLeave:
		return true
	case ledger.CommandPause, ledger.CommandResume, ledger.CommandPing,
		ledger.CommandInterrupt, ledger.CommandCloseStdout, ledger.CommandCloseStderr:
		return o.TID != ""
	}
	return false
}

// An Answer is what becomes of an order: the first says that it was taken, the last
// that it was carried out.
type Answer struct {
	Done    bool              `json:"done,omitempty"`
	Outcome *taskspec.Outcome `json:"outcome,omitempty"` // of a task that has ended
	// Problem is what keeps the manager from its work, in answer to STATUS.
	Problem string `json:"problem,omitempty"`
}

// A Server takes orders.
type Server struct {
	l       *socket.Listener
	ctx     context.Context
	cancel  context.CancelFunc
	serving sync.WaitGroup
}

// Serve takes orders for the process until the Server is closed. handle is called on a
// goroutine of its own for each: it passes on the answers, or returns without one if
// the order is for somebody else. Its context ends with the Server.
func Serve(weftDir string, handle func(ctx context.Context, o Order, answer func(Answer))) (*Server, error) {
	l, err := socket.Listen(weftDir, fmt.Sprintf("%s%d.%d", prefix, os.Getpid(), time.Now().UnixNano()))
	if err != nil {
		return nil, fmt.Errorf("take orders: %w", err)
	}
	s := &Server{l: l}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.serving.Go(func() {
		for {
			c, err := l.AcceptPeer()
			if err != nil {
				return
			}
			s.serving.Go(func() { s.serve(c, handle) })
		}
	})
	return s, nil
}

// serve serves one client.
func (s *Server) serve(c *net.UnixConn, handle func(context.Context, Order, func(Answer))) {
	defer c.Close()
	defer context.AfterFunc(s.ctx, func() { c.Close() })()
	_ = c.SetReadDeadline(time.Now().Add(patience))
	var o Order
	if json.NewDecoder(io.LimitReader(c, maxOrder)).Decode(&o) != nil || !o.known() {
		return // garbage, or nothing
	}
	_ = c.SetReadDeadline(time.Time{})
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	s.serving.Go(func() {
		_, _ = c.Read(make([]byte, 1)) // ends when the client has gone
		cancel()
	})
	encoder := json.NewEncoder(c)
	handle(ctx, o, func(a Answer) { _ = encoder.Encode(a) })
}

// Close ends the Server; orders that were not carried out are not answered any more.
func (s *Server) Close() {
	if s == nil {
		return
	}
	s.cancel()
	_ = s.l.Close() // the project may have gone, and the socket with it
	s.serving.Wait()
}

// Give gives an order to whom it concerns, and returns the last answer when it has been
// carried out. The error is [ErrNobody] if nobody takes it, or does not say so in time.
func Give(ctx context.Context, weftDir string, o Order) (Answer, error) {
	names, err := socket.Names(weftDir, prefix)
	if err != nil {
		return Answer{}, fmt.Errorf("give order: %w", err)
	}
	for _, name := range names {
		a, taken, err := give(ctx, weftDir, name, o)
		if taken || ctx.Err() != nil {
			return a, err
		}
	}
	return Answer{}, fmt.Errorf("give order: %w", ErrNobody)
}

// give gives an order to who listens on one socket.
func give(ctx context.Context, weftDir, name string, o Order) (a Answer, taken bool, err error) {
	c, err := socket.Dial(weftDir, name)
	if err != nil {
		return a, false, nil // what somebody has left that was killed
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	_ = c.SetDeadline(time.Now().Add(patience))
	decoder := json.NewDecoder(io.LimitReader(c, maxOrder))
	if json.NewEncoder(c).Encode(o) != nil || decoder.Decode(&a) != nil {
		return a, false, context.Cause(ctx)
	}
	_ = c.SetDeadline(time.Time{})
	for !a.Done {
		if err := decoder.Decode(&a); err != nil {
			if ctx.Err() != nil {
				err = context.Cause(ctx)
			}
			return a, true, fmt.Errorf("give order: it was taken, and then: %w", err)
		}
	}
	return a, true, nil
}
