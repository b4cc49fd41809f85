package consumer

import (
	"sync"
	"time"

	"weft/internal/ledger"
)

// progressPause is the least interval between two reports of a function's progress. Each is
// a write to the store, and more than a few a second help no reader.
const progressPause = 200 * time.Millisecond

// A progressThrottle sends the progress of a function, not too often, and always the last
// report.
type progressThrottle struct {
	send func(WorkerReport)

	mu     sync.Mutex
	latest *ledger.Progress // not sent yet
	timer  *time.Timer      // nil until the first
	paused bool             // the timer runs
}

// note keeps the progress and sends it, at once or after the pause.
func (p *progressThrottle) note(done, total int64, note string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.latest = &ledger.Progress{Done: done, Total: total, Note: note, At: time.Now().UnixNano()}
	if p.paused {
		return
	}
	p.sendLatest()
	p.paused = true
	if p.timer == nil {
		p.timer = time.AfterFunc(progressPause, p.pauseOver)
		return
	}
	p.timer.Reset(progressPause)
}

func (p *progressThrottle) pauseOver() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.paused = p.latest != nil; p.paused {
		p.sendLatest()
		p.timer.Reset(progressPause)
	}
}

func (p *progressThrottle) sendLatest() {
	p.send(WorkerReport{Progress: p.latest})
	p.latest = nil
}

// flush sends what has not been sent, and stops sending.
func (p *progressThrottle) flush() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer != nil {
		p.timer.Stop()
	}
	p.paused = true
	if p.latest != nil {
		p.sendLatest()
	}
}
