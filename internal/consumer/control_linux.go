package consumer

import (
	"context"
	"sync"

	"weft/internal/control"
	"weft/internal/ledger"
)

// A taskControl passes orders to one running task: while the manager is connected it relays
// the manager's orders; after that it reads the task's control messages itself.
type taskControl struct {
	orders         <-chan Order // closed when the manager is gone
	journal        *storeJournal
	requests       chan Request
	holds          chan bool          // the last value says whether the task is to be paused
	next           *ledger.Assignment // the next task, if the manager has assigned it
	stopRequested  chan struct{}      // closed by the first request to end the task, after firstRequest is set
	firstRequest   Request
	items          chan *Next      // for a persistent task
	recordedChunks chan int        // the sequence number of chunks that the manager has recorded
	acked          chan struct{}   // closed when the manager has recorded the end
	lost           chan struct{}   // closed when the manager is gone
	ordering       sync.Mutex      // orders come through the store and over the control socket
	waiters        control.Waiters // clients that wait at the control socket
	done           chan struct{}   // closed by close
	ended          chan struct{}   // closed when serve has returned
}

// newTaskControl returns a taskControl that runs until it is closed. gone says that the
// manager is gone already.
func newTaskControl(orders <-chan Order, a *storeJournal, gone bool) *taskControl {
	s := &taskControl{
		orders:         orders,
		journal:        a,
		requests:       make(chan Request, 16), // more than are ever sent before the first is received
		holds:          make(chan bool, 1),
		stopRequested:  make(chan struct{}),
		items:          make(chan *Next, 1),
		recordedChunks: make(chan int, 1), // the next chunks are sent once these are recorded
		acked:          make(chan struct{}),
		lost:           make(chan struct{}),
		done:           make(chan struct{}),
		ended:          make(chan struct{}),
	}
	if gone {
		close(s.lost)
	}
	go s.serve(gone)
	return s
}

func (c *taskControl) serve(gone bool) {
	defer close(c.ended)
	if !gone {
		if c.connected() {
			return
		}
		close(c.lost)
	}
	// Without a socket, orders come through the store only.
	orders, _ := control.Serve(c.journal.task.WeftDir, c.takeOrder)
	defer orders.Close()
	c.journal.watchControl(c.apply, c.done)
	<-c.done
}

// takeOrder applies an order from the control socket.
func (c *taskControl) takeOrder(ctx context.Context, o control.Order, answer func(control.Answer)) {
	if o.TID != c.journal.task.TID {
		return
	}
	done := c.waiters.Add(o.Command)
	c.apply(OrderFor(o.Command))
	control.Relay(ctx, done, answer)
}

// connected relays the manager's orders. It returns false when the manager is gone, and
// true when the taskControl is closed.
func (c *taskControl) connected() bool {
	for {
		select {
		case o, open := <-c.orders:
			switch {
			case !open:
				return false
			// The manager assigns the next task in the cycle that records the end of this
			// one, before that is committed and acknowledged.
			case o.Task != nil:
				c.next = o.Task
			case o.Revoke:
				c.next = nil
			case o.Next != nil:
				select {
				case <-c.items: // an earlier answer said that there is none
				default:
				}
				c.items <- o.Next
			case o.ChunksRecorded != 0:
				c.recordedChunks <- o.ChunksRecorded
			case o.Ack != 0:
				close(c.acked)
				return true
			default:
				c.apply(o)
			}
		case <-c.done:
			return true
		}
	}
}

// recorded waits until the manager has recorded chunks. It returns false if the manager is
// gone.
func (c *taskControl) recorded(seq int) bool {
	for {
		select {
		case got := <-c.recordedChunks:
			if got == seq {
				return true
			}
		case <-c.lost:
			return false
		}
	}
}

// apply passes an order on to the running task.
func (c *taskControl) apply(o Order) {
	c.ordering.Lock()
	defer c.ordering.Unlock()
	if o.End != NoRequest {
		c.requestEnd(o.End)
	}
	if o.Pause == nil {
		return
	}
	select {
	case <-c.holds: // the newest order replaces an older one
	default:
	}
	c.holds <- *o.Pause
}

// requestEnd asks the task to end. It drops requests that the task has no room for, but
// never a kill.
func (c *taskControl) requestEnd(r Request) {
	if c.firstRequest == NoRequest && r.Ends() {
		c.firstRequest = r
		close(c.stopRequested)
	}
	for {
		select {
		case c.requests <- r:
			return
		default:
		}
		if r != RequestKill {
			return
		}
		select {
		case <-c.requests: // drop a stop to make room for the kill
		default:
		}
	}
}

// close stops the taskControl and returns the next task, if the manager has assigned it
// already.
func (c *taskControl) close() (next *ledger.Assignment) {
	close(c.done)
	<-c.ended
	c.journal.close()
	return c.next
}
