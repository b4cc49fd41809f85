package upkeep

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
	// manyEvents are more than the retention keeps by default.
	manyEvents = 1_500_000
)

// runTidy is the advice for what tidying clears up.
const runTidy = "weft system tidy"

// examineStore looks at the store of an open project.
func examineStore(ctx context.Context, x *examination) ([]Finding, error) {
	info, err := x.Broker.Info(ctx)
	if errors.Is(err, broker.ErrNoIDs) {
		return nil, err
	}
	if err != nil {
		return problem(err.Error(), restore)
	}
	return run(ctx, x.Project, []check{
		{"ids", examineIDs},
		{"store", func(ctx context.Context, x *examination) ([]Finding, error) {
			found := fmt.Sprintf("%s, %s of it unused", megabytes(info.Bytes), megabytes(info.Free))
			if info.Bytes > largeStore {
				return fine(found + "; not read for damage, as it is large")
			}
			if err := sqlite.Inspect(ctx, x.Dir); err != nil {
				return problem(err.Error(), restore)
			}
			return fine(found + "; whole")
		}},
		{"store log", func(context.Context, *examination) ([]Finding, error) {
			if info.Log > largeLog {
				return note(megabytes(info.Log)+": a reader has held it up", runTidy)
			}
			return fine(megabytes(info.Log))
		}},
		{"events", examineEvents},
	}), nil
}

// examineIDs looks whether the store can give ids.
func examineIDs(ctx context.Context, x *examination) ([]Finding, error) {
	spent, err := broker.View(ctx, x.Broker, func(r broker.Reader) (bool, error) {
		_, spent, err := broker.SpentIDs(r)
		return spent, err
	})
	switch {
	case err != nil:
		return nil, err
	case spent:
		return problem("the store has given one of the last ids there are", "weft system repair")
	}
	return fine("there are enough")
}

// examineEvents looks at how much history there is.
func examineEvents(ctx context.Context, x *examination) ([]Finding, error) {
	st, err := x.Broker.Queue(ledger.Log).Stats(ctx)
	if err != nil {
		return nil, err
	}
	found := fmt.Sprintf("%d in %s", st.Pending, ledger.Log)
	if st.Pending > manyEvents {
		return note(found, runTidy)
	}
	return fine(found)
}

// examineRecords names the damaged records.
func examineRecords(ctx context.Context, x *examination) (found []Finding, err error) {
	damage, err := findDamage(ctx, x.Project)
	if err != nil {
		return nil, err
	}
	if len(damage) == 0 {
		return fine("all can be read")
	}
	const most, advice = 20, "weft system repair, which sets it aside"
	for _, d := range damage[:min(most, len(damage))] {
		found = append(found, Finding{State: Bad, Found: fmt.Sprintf("%s is damaged and passed over: %v", d.Err.Name(), d.Err.Err), Advice: advice})
	}
	if more := len(damage) - most; more > 0 {
		found = append(found, Finding{State: Bad, Found: fmt.Sprintf("and %d more are damaged", more), Advice: advice})
	}
	return found, nil
}

// damageLooked is how many of the newest records of each kind [Check] looks at.
const damageLooked = 200

// examineRecentRecords counts the damaged records among the newest.
func examineRecentRecords(ctx context.Context, x *examination) ([]Finding, error) {
	damage, err := broker.View(ctx, x.Broker, func(r broker.Reader) ([]ledger.Damage, error) { return ledger.RecentDamage(r, damageLooked) })
	if err != nil || len(damage) == 0 {
		return nil, err
	}
	return problem(counted(len(damage), "damaged record"), "weft system doctor")
}

// megabytes is a number of bytes as a person reads it.
func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/(1<<20)) }
