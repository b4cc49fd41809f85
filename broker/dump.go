package broker

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"slices"
	"time"
	"unicode/utf8"
)

// DumpOptions say what [Dump] leaves out or rewrites. The zero value dumps everything as it
// is. Records and messages for which a function returns an error that wraps [ErrDamaged],
// and those that are not UTF-8 and so cannot be JSON, are left out and counted.
type DumpOptions struct {
	// Record returns what to write instead of a record, and whether to write it at all.
	// Aliases are not records here. nil writes all.
	Record func(Record) (Record, bool, error)
	// Message returns what to write instead of a message, and whether to write it at all.
	// nil writes all unchanged.
	Message func(Message) (Message, bool, error)
	// Redacted marks the dump as one in which these functions redact something.
	Redacted bool
}

// A DumpReport counts what a dump holds.
type DumpReport struct {
	Aliases, Records, Messages, Queues int

	Damaged int // aliases, records and messages that were left out because they are damaged
}

// Dump writes the store to w as JSON lines: one that describes the dump, then aliases,
// records and messages in the order of their ids, and a final one. It dumps one state of
// the store, however long it takes and whatever is written meanwhile; until it is done the
// store's log grows. Memory does not grow with the store.
//
// After an error, what was written to w is not a dump. Cancelling ctx ends Dump with ctx's
// error.
func (b *Broker) Dump(ctx context.Context, w io.Writer, o DumpOptions) (DumpReport, error) {
	if o.Record == nil {
		o.Record = func(r Record) (Record, bool, error) { return r, true, nil }
	}
	if o.Message == nil {
		o.Message = func(m Message) (Message, bool, error) { return m, true, nil }
	}
	d := &dumper{o: o, queues: newNames(), aliases: make(aliasNames)}
	buf := bufio.NewWriterSize(w, 64<<10)
	d.out = json.NewEncoder(buf)
	d.out.SetEscapeHTML(false)
	var failed error
	err := b.backend.View(ctx, func(r Reader) error {
		info, err := r.Info()
		if err != nil {
			return err // the backend may retry: nothing was written
		}
		failed = d.write(ctx, r, info)
		return nil
	})
	if err == nil {
		err = failed
	}
	if err == nil {
		err = buf.Flush()
	}
	if err != nil {
		return DumpReport{}, fmt.Errorf("dump: %w", err)
	}
	return d.report, nil
}

type dumper struct {
	o       DumpOptions
	out     *json.Encoder
	queues  names
	aliases aliasNames
	report  DumpReport
}

func (d *dumper) write(ctx context.Context, r Reader, info Info) error {
	err := d.out.Encode(&line{
		Type: typeMeta, Format: new(dumpFormat), Version: new(dumpVersion), LastID: new(lineID(info.LastID)), Store: info.ID,
		Created: time.Now().UnixNano(), Redacted: d.o.Redacted,
	})
	if err != nil {
		return err
	}
	if err := EachRecord(ctx, r, aliasKind, d.alias); err != nil {
		return err
	}
	kinds, err := r.Kinds()
	if err != nil {
		return err
	}
	for _, kind := range kinds {
		if kind == aliasKind {
			continue
		}
		if err := EachRecord(ctx, r, kind, d.record); err != nil {
			return err
		}
	}
	var failed error
	err = r.Scan("", Select{}, func(m Message) bool {
		if failed = d.message(m); ctx.Err() != nil {
			failed = context.Cause(ctx)
		}
		return failed == nil
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		return err
	}
	d.report.Queues = d.queues.count()
	return d.out.Encode(&line{Type: typeEnd, Messages: &d.report.Messages})
}

// Entries that a load would refuse, because the store has been changed by hand, are left
// out, or the load would refuse everything else too.

func (d *dumper) alias(r Record) error {
	if d.aliases.add(Alias{Name: r.Key, Queue: r.State}) != nil {
		d.report.Damaged++
		return nil
	}
	d.report.Aliases++
	return d.out.Encode(&line{Type: typeAlias, Alias: &r.Key, Target: &r.State})
}

func (d *dumper) record(r Record) error {
	r, keep, err := d.o.Record(r)
	if errors.Is(err, ErrDamaged) || err == nil && keep && (checkRecord(r) != nil || !utf8.ValidString(r.Kind+r.Key+r.State+r.Body)) {
		d.report.Damaged++
		return nil
	}
	if err != nil || !keep {
		return err
	}
	d.report.Records++
	return d.out.Encode(&line{Type: typeRecord, Kind: &r.Kind, Key: &r.Key, State: &r.State, Rank: &r.Rank, Body: &r.Body})
}

func (d *dumper) message(m Message) error {
	m, keep, err := d.o.Message(m)
	if err == nil && !keep {
		return nil
	}
	if errors.Is(err, ErrDamaged) || err == nil && (CheckName(m.Queue) != nil || !utf8.ValidString(m.Body)) {
		d.report.Damaged++
		return nil
	}
	if err != nil {
		return fmt.Errorf("message %v of %q: %w", m.ID, m.Queue, err)
	}
	d.report.Messages++
	d.queues.add(m.Queue)
	return d.out.Encode(&line{Type: typeMessage, Queue: &m.Queue, ID: new(lineID(m.ID)), Body: &m.Body})
}

// recordPage is how many records are in memory at once.
const recordPage = 64

// EachRecord calls fn with every record of a kind, in the order of their ranks, and keeps
// few of them in memory. It ends with an error of fn, or with that of ctx.
func EachRecord(ctx context.Context, r Reader, kind string, fn func(Record) error) error {
	for after, limit := int64(0), recordPage; ; {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		found, err := r.Records(kind, RecordSelect{AfterRank: after, Limit: limit})
		if err != nil {
			return err
		}
		whole := len(found) < limit
		if !whole {
			// Several records may share the last rank, and not all may be on this page.
			last := found[limit-1].Rank
			cut := slices.IndexFunc(found, func(r Record) bool { return r.Rank == last })
			if cut == 0 {
				limit *= 2
				continue
			}
			found, after, limit = found[:cut], found[cut-1].Rank, recordPage
		}
		for _, rec := range found {
			if err := fn(rec); err != nil {
				return err
			}
		}
		if whole {
			return nil
		}
	}
}

// names counts distinct names. It keeps only their hashes, because there may be as many
// names as messages.
type names struct {
	seed   maphash.Seed
	hashes map[uint64]struct{}
}

func newNames() names { return names{maphash.MakeSeed(), make(map[uint64]struct{})} }

// add counts a name and reports whether it is new.
func (n names) add(name string) bool {
	hash := maphash.String(n.seed, name)
	_, known := n.hashes[hash]
	if !known {
		n.hashes[hash] = struct{}{}
	}
	return !known
}

func (n names) count() int { return len(n.hashes) }
