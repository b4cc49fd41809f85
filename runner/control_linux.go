package runner

import (
	"context"
	"sync"

	"weft/internal/control"
)

// A taskControl serves one task from outside: while the manager is there it passes
// on what the manager orders; when the manager is gone it listens by itself.
type taskControl struct {
	orders         <-chan Order // closed when the manager is gone
	journal        *storeJournal
	requests       chan Request
	holds          chan bool     // the last one says whether the task is to stand still
	next           *Assignment   // what the manager wants to have done after this task
	stopRequested  chan struct{} // closed by the first request to end the task; then first says which
	firstRequest   Request
	items          chan *Next      // what a persistent task does next
	recordedChunks chan int        // the sequence of the chunks that the manager has recorded
	acked          chan struct{}   // closed when the manager has recorded the end
	lost           chan struct{}   // closed when the manager is gone
	ordering       sync.Mutex      // orders come through the store, and beside it
	asked          control.Waiters // for what came beside it
	done           chan struct{}   // closed by close
	ended          chan struct{}   // closed when serve has returned
}

// newTaskControl returns a session that runs until it is closed. gone says that
// the manager is gone already.
func newTaskControl(orders <-chan Order, a *storeJournal, gone bool) *taskControl {
	s := &taskControl{
		orders:         orders,
		journal:        a,
		requests:       make(chan Request, 16), // more than anybody would ask before the first is heard
		holds:          make(chan bool, 1),
		stopRequested:  make(chan struct{}),
		items:          make(chan *Next, 1),
		recordedChunks: make(chan int, 1), // the next chunks are sent when these are known to be recorded
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

func (s *taskControl) serve(gone bool) {
	defer close(s.ended)
	if !gone {
		if s.connected() {
			return
		}
		close(s.lost)
	}
	// Where no socket can be made, orders come through the store only.
	orders, _ := control.Serve(s.journal.task.WeftDir, s.takeOrder)
	defer orders.Close()
	s.journal.watchControl(s.apply, s.done)
	<-s.done
}

// takeOrder carries out an order that comes beside the store.
func (s *taskControl) takeOrder(ctx context.Context, o control.Order, answer func(control.Answer)) {
	if o.TID != s.journal.task.TID {
		return
	}
	done := s.asked.Add(o.Command)
	s.apply(OrderFor(o.Command))
	control.Relay(ctx, done, answer)
}

// connected passes on what the manager orders. It returns false when the
// manager is gone, and true when the session is over.
func (s *taskControl) connected() bool {
	for {
		select {
		case o, open := <-s.orders:
			switch {
			case !open:
				return false
			// The manager assigns the next task in the turn that records the end
			// of this one, before that is committed and acknowledged.
			case o.Task != nil:
				s.next = o.Task
			case o.Revoke:
				s.next = nil
			case o.Next != nil:
				select {
				case <-s.items: // it said that there was none
				default:
				}
				s.items <- o.Next
			case o.ChunksRecorded != 0:
				s.recordedChunks <- o.ChunksRecorded
			case o.Ack != 0:
				close(s.acked)
				return true
			default:
				s.apply(o)
			}
		case <-s.done:
			return true
		}
	}
}

// recorded waits until the manager has recorded chunks, and reports false if it
// is gone.
func (s *taskControl) recorded(seq int) bool {
	for {
		select {
		case took := <-s.recordedChunks:
			if took == seq {
				return true
			}
		case <-s.lost:
			return false
		}
	}
}

// apply passes on what concerns the running task.
func (s *taskControl) apply(o Order) {
	s.ordering.Lock()
	defer s.ordering.Unlock()
	if o.End != NoRequest {
		s.requestEnd(o.End)
	}
	if o.Pause == nil {
		return
	}
	select {
	case <-s.holds: // nobody needs to know of an older one
	default:
	}
	s.holds <- *o.Pause
}

// requestEnd asks the task to end. Repetitions beyond any need are dropped, but
// never a kill.
func (s *taskControl) requestEnd(r Request) {
	if s.firstRequest == NoRequest {
		s.firstRequest = r
		close(s.stopRequested)
	}
	for {
		select {
		case s.requests <- r:
			return
		default:
		}
		if r != RequestKill {
			return
		}
		select {
		case <-s.requests: // a stop, or as good
		default:
		}
	}
}

// close ends the session and returns the task that comes next, if the manager
// has assigned it already.
func (s *taskControl) close() (next *Assignment) {
	close(s.done)
	<-s.ended
	s.journal.close()
	return s.next
}
