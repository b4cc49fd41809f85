package broker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// LoadOptions are the options of [Load]. The zero value loads everything.
type LoadOptions struct {
	// DryRun reports what would be done, without doing it.
	DryRun bool
	// Force loads ids that are more than [MaxAhead] ahead of the clock and of the store.
	// All later ids of the store are greater than those.
	Force bool
	// Policy is called at the start of each pass over the dump, of which there are two or
	// three, and returns the policy for that pass. nil loads everything.
	Policy func(Header) Policy
}

// A Policy decides what becomes of records and messages, for a caller that knows their
// meaning. Its functions may be nil; an error of one of them ends the load.
type Policy struct {
	// Record decides about r, and returns the record to store. here is the record of that
	// kind and key in the store, nil if there is none or the pass only checks the dump. By
	// default an equal one is skipped and another is a conflict.
	Record func(r Record, here *Record) (Record, Verdict, error)
	// Message reports whether to load m. It has no id if it is to get a new one.
	Message func(m Message) (bool, error)
	// Same reports whether a message equals the one that the store has under its id. By
	// default queue and body must be equal.
	Same func(m, here Message) bool
	// Done is called after everything has been stored, in the same transaction.
	Done func(tx *Tx) error
}

// A Verdict is the decision about a record.
type Verdict int

// The verdicts.
const (
	Take  Verdict = iota // store it
	Skip                 // the store has it already
	Leave                // it is not for this store
	Clash                // the store has another one in its place
)

// A LoadReport counts what a dump holds and what was loaded, or would be.
type LoadReport struct {
	Header Header

	// Aliases, Records and Messages were loaded. Queues counts the queues of the messages.
	Aliases, Records, Messages, Queues int

	Present int // aliases, records and messages that the store had already
	Views   int // messages of queues that are views, and aliases of those: left out
	// Conflicts describes what contradicts the store, at most 20 entries; Conflicting
	// counts all.
	Conflicts   []string
	Conflicting int
}

// MaxAhead is how far the ids of a dump may be ahead of the clock: as far as clocks that
// are set by hand in different time zones.
const MaxAhead = 24 * time.Hour

// maxConflicts is how many conflicts are described.
const maxConflicts = 20

// conflict returns the error that describes the conflicts, nil if there are none.
func (r *LoadReport) conflict() error {
	if r.Conflicting == 0 {
		return nil
	}
	text := strings.Join(r.Conflicts, "; ")
	if more := r.Conflicting - len(r.Conflicts); more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return fmt.Errorf("%w: %s", ErrConflict, text)
}

// Load loads the dump that starts at the position of r, all of it or, on any error,
// nothing. Messages keep their ids, and new ids are greater than those that the dumped
// store had assigned; content that the store has already is skipped. Memory does not grow
// with the dump.
//
// It reads the format of [Dump], and both formats of the original Weft: simplebroker-dump,
// version 1, and that of Weft 0.1.0, whose messages get new ids in the order of the file.
// It reads the dump once to check it and once in the transaction, for which other writers
// wait, so the dump must not change meanwhile.
//
// Errors wrap [ErrDump], with the number of the line, [ErrFuture], or [ErrConflict]; in
// that case the report lists the conflicts. Cancelling ctx before the end withdraws the
// load.
func (b *Broker) Load(ctx context.Context, r io.ReadSeeker, o LoadOptions) (report LoadReport, err error) {
	start, err := r.Seek(0, io.SeekCurrent)
	if err != nil {
		return report, fmt.Errorf("load: %w", err)
	}
	unforced := o
	unforced.Force = true // the store may be as far ahead
	if report, err = CheckDump(ctx, r, b.options, unforced); err != nil {
		return report, err
	}
	again := func(reader Reader, tx *Tx) error {
		if _, err := r.Seek(start, io.SeekStart); err != nil {
			return err
		}
		report, err = read(ctx, r, &intake{options: b.options, reader: reader, tx: tx}, o)
		if err == nil {
			err = report.conflict()
		}
		return err
	}
	if o.DryRun {
		err = b.backend.View(ctx, func(reader Reader) error { return again(reader, nil) })
	} else {
		err = b.Update(ctx, func(tx *Tx) error { return again(tx.txn, tx) })
	}
	if err != nil {
		return report, fmt.Errorf("load: %w", err)
	}
	return report, nil
}

// CheckDump is a dry run of [Load] without a store, for one that would be opened with these
// options. It reads r only once.
func CheckDump(ctx context.Context, r io.Reader, store Options, o LoadOptions) (LoadReport, error) {
	report, err := read(ctx, r, &intake{options: store.complete()}, o)
	if err != nil {
		return report, fmt.Errorf("load: %w", err)
	}
	return report, nil
}

// read makes one pass over the dump.
func read(ctx context.Context, r io.Reader, in *intake, o LoadOptions) (LoadReport, error) {
	d, err := newDumpReader(r, in.options.MaxMessage)
	if err != nil {
		return LoadReport{}, err
	}
	var p Policy
	if o.Policy != nil {
		p = o.Policy(d.header)
	}
	now := time.Now()
	if err := in.begin(d.header, p, now); err != nil {
		return in.report, err
	}
	if ahead := d.header.LastID.Time().Sub(now); ahead > MaxAhead && d.header.LastID > in.floor && !o.Force {
		return in.report, fmt.Errorf("%w: the last one is of %s, and now it is %s", ErrFuture,
			d.header.LastID.Time().Format(time.DateTime), now.Format(time.DateTime))
	}
	for ctx.Err() == nil {
		e, err := d.next()
		if errors.Is(err, io.EOF) {
			return in.report, in.end()
		}
		if err != nil {
			return in.report, err
		}
		if err := in.take(e); err != nil {
			return in.report, d.wrap(err)
		}
	}
	return in.report, context.Cause(ctx)
}
