package weft

import (
	"context"
	"errors"
	"fmt"

	"weft/broker"
	"weft/broker/sqlite"
	"weft/internal/ledger"
)

const (
	// largeStore is the size, in bytes, up to which the whole store is read to
	// look for damage: half a second of work where it is cached.
	largeStore = 256 << 20
	// largeLog is the size of the store's log, in bytes, from which on it is
	// worth a word. It has 4 to 8 MB while no process delays it.
	largeLog = 64 << 20
	// manyEvents are those of some 25,000 tasks, some 100 MB.
	manyEvents = 100_000
)

// runTidy is the advice for what System.Tidy clears up.
const runTidy = "weft system tidy"

// examineStore looks at the store of an open project.
func examineStore(ctx context.Context, p *Project) []Finding {
	info, err := p.broker.Info(ctx)
	if errors.Is(err, broker.ErrNoIDs) {
		return []Finding{problem("store", err.Error(), "")}
	}
	if err != nil {
		return []Finding{problem("store", err.Error(), restore)}
	}
	return []Finding{
		examineIDs(ctx, p),
		examineContent(ctx, p.dir, info),
		examineLog(info),
		examineEvents(ctx, p),
	}
}

// examineContent looks for damage, unless that takes long.
func examineContent(ctx context.Context, dir string, info broker.Info) Finding {
	const check = "store"
	found := fmt.Sprintf("%s, %s of it unused", megabytes(info.Bytes), megabytes(info.Free))
	if info.Bytes > largeStore {
		return fine(check, found+"; not read for damage, as it is large")
	}
	if err := sqlite.Inspect(ctx, dir); err != nil {
		return problem(check, err.Error(), restore)
	}
	return fine(check, found+"; whole")
}

// examineLog looks at the size of the store's log.
func examineLog(info broker.Info) Finding {
	const check = "store log"
	if info.Log > largeLog {
		return note(check, megabytes(info.Log)+": a reader has held it up", runTidy)
	}
	return fine(check, megabytes(info.Log))
}

// examineEvents looks at how much history there is.
func examineEvents(ctx context.Context, p *Project) Finding {
	const check = "events"
	st, err := p.Queue(ledger.Log).Stats(ctx)
	if err != nil {
		return problem(check, err.Error(), "")
	}
	if st.Pending > manyEvents {
		return note(check, fmt.Sprintf("%d in %s", st.Pending, ledger.Log), runTidy)
	}
	return fine(check, fmt.Sprintf("%d in %s", st.Pending, ledger.Log))
}

// megabytes is a number of bytes as a person reads it.
func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/(1<<20)) }
