package broker

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"
	"unicode/utf8"
)

// A Header is the first line of a dump.
type Header struct {
	Format   string    // "weft-dump", "weft-0.1.0" or "simplebroker-dump"
	Store    string    // the id of the store, or empty
	Created  time.Time // zero if it is not given
	LastID   ID        // the greatest id that the store had assigned
	Redacted bool      // secrets have been redacted
}

// An entry is the content of a line of a dump: one of these.
type entry struct {
	alias   *Alias
	record  *Record
	message *Message // without id in a dump of oldFormat
}

// A dumpReader reads a dump line by line, and refuses what is invalid for any store.
type dumpReader struct {
	in     *bufio.Scanner
	limit  int // of a message body, in bytes
	header Header

	text     []byte
	number   int // of the line in text, counted from 1
	aliases  aliasNames
	records  names
	last     ID // of the last message
	messages int
	ended    bool
}

// newDumpReader reads the first line.
func newDumpReader(r io.Reader, limit int) (*dumpReader, error) {
	d := &dumpReader{in: bufio.NewScanner(r), limit: limit, aliases: make(aliasNames), records: newNames()}
	d.in.Buffer(make([]byte, 64<<10), d.maxLine()+1) // with its line feed
	err := d.fetch()
	if err == io.EOF {
		return nil, fmt.Errorf("%w: it is empty", ErrDump)
	}
	if err == nil {
		err = d.begin()
	}
	if err != nil {
		return nil, d.wrap(err)
	}
	return d, nil
}

// wrap adds the number of the line to an error.
func (d *dumpReader) wrap(err error) error { return fmt.Errorf("line %d: %w", d.number, err) }

// maxLine is the length of the longest line: a body whose bytes JSON expands to six each,
// or the record of a task with a spec of that length, and the rest of the line.
func (d *dumpReader) maxLine() int { return 6*d.limit + 1<<20 }

// fetch reads the next line that is not blank into text.
func (d *dumpReader) fetch() error {
	for d.number++; d.in.Scan(); d.number++ {
		if d.text = d.in.Bytes(); len(bytes.TrimSpace(d.text)) > 0 {
			return d.in.Err() // then the line may be cut off
		}
	}
	switch err := d.in.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return fmt.Errorf("%w: the line has more than %d bytes", ErrDump, d.maxLine())
	case err != nil:
		return err
	}
	return io.EOF
}

// begin parses the first line.
func (d *dumpReader) begin() error {
	l, err := d.parse()
	if err != nil {
		return err
	}
	last := l.LastTS
	switch {
	case l.Type == typeMeta && l.Format != nil && *l.Format == dumpFormat:
		err = version(l, dumpVersion)
		d.header = Header{Format: dumpFormat, Store: l.Store, Redacted: l.Redacted}
		if l.Created > 0 {
			d.header.Created = time.Unix(0, l.Created)
		}
		last = l.LastID
	case l.Type == typeHeader && l.Format != nil && *l.Format == headFormat:
		err = version(l, headVersion)
		d.header = Header{Format: headFormat}
	case l.Type == typeMeta && l.Format == nil && l.LastTS != nil:
		d.header = Header{Format: oldFormat}
	default:
		err = fmt.Errorf("%w: the first line is not that of a dump", ErrDump)
	}
	if err == nil && last == nil {
		err = fmt.Errorf("%w: the last id is missing", ErrDump)
	}
	if err != nil {
		return err
	}
	d.header.LastID = ID(*last)
	return nil
}

func version(l line, known int) error {
	if l.Version == nil || *l.Version != known {
		return fmt.Errorf("%w: this weft knows only version %d of the format %s", ErrDump, known, *l.Format)
	}
	return nil
}

func (d *dumpReader) parse() (line, error) {
	// The decoder would replace what is not UTF-8.
	if !utf8.Valid(d.text) {
		return line{}, fmt.Errorf("%w: not UTF-8", ErrDump)
	}
	l, err := parseLine(d.text)
	if err != nil {
		return line{}, fmt.Errorf("%w: %w", ErrDump, err)
	}
	return l, nil
}

// next reads the next entry. io.EOF means that the dump is complete.
func (d *dumpReader) next() (entry, error) {
	err := d.fetch()
	if err == io.EOF {
		if d.header.Format == dumpFormat && !d.ended {
			return entry{}, d.wrap(fmt.Errorf("%w: it is cut off: the last line is missing", ErrDump))
		}
		return entry{}, io.EOF
	}
	var e entry
	if err == nil {
		e, err = d.entry()
	}
	if err == nil && e == (entry{}) { // the end
		return d.next()
	}
	if err != nil {
		return entry{}, d.wrap(err)
	}
	return e, nil
}

func (d *dumpReader) entry() (entry, error) {
	if d.ended {
		return entry{}, fmt.Errorf("%w: it goes on after its end", ErrDump)
	}
	l, err := d.parse()
	if err != nil {
		return entry{}, err
	}
	own := d.header.Format == dumpFormat
	switch {
	case l.Type == typeAlias:
		a, err := d.readAlias(l)
		return entry{alias: a}, bad(err)
	case l.Type == typeRecord && own:
		r, err := d.readRecord(l)
		return entry{record: r}, bad(err)
	case l.Type == typeMessage:
		m, err := d.readMessage(l)
		return entry{message: m}, bad(err)
	case l.Type == typeEnd && own:
		d.ended = true
		if l.Messages == nil || *l.Messages != d.messages {
			return entry{}, fmt.Errorf("%w: not as many messages as there should be: it has %d", ErrDump, d.messages)
		}
		return entry{}, nil
	}
	return entry{}, fmt.Errorf("%w: type %.40q is unknown", ErrDump, l.Type)
}

// bad marks an error in an entry.
func bad(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrDump, err)
}

func (d *dumpReader) readAlias(l line) (*Alias, error) {
	if l.Alias == nil || l.Target == nil {
		return nil, errors.New("an alias needs the fields alias and target")
	}
	a := Alias{Name: *l.Alias, Queue: *l.Target}
	return &a, d.aliases.add(a)
}

// aliasNames maps aliases to true, and their queues to false.
type aliasNames map[string]bool

// add adds an alias. It returns an error if the alias conflicts with the others.
func (n aliasNames) add(a Alias) error {
	for _, name := range []string{a.Name, a.Queue} {
		if err := CheckName(name); err != nil {
			return err
		}
	}
	_, used := n[a.Name]
	if used || n[a.Queue] || a.Name == a.Queue {
		return fmt.Errorf("%w: %q is given twice, or leads to another alias", ErrAlias, a.Name)
	}
	n[a.Name], n[a.Queue] = true, false
	return nil
}

func (d *dumpReader) readRecord(l line) (*Record, error) {
	if l.Kind == nil || l.Key == nil || l.State == nil || l.Rank == nil || l.Body == nil {
		return nil, errors.New("a record needs the fields kind, key, state, rank and body")
	}
	r := Record{Kind: *l.Kind, Key: *l.Key, State: *l.State, Rank: *l.Rank, Body: *l.Body}
	if err := checkRecord(r); err != nil {
		return nil, err
	}
	if !d.records.add(r.Kind + "\x00" + r.Key) {
		return nil, fmt.Errorf("record %s %q is there twice", r.Kind, r.Key)
	}
	return &r, nil
}

// checkRecord returns an error if no dump can hold the record.
func checkRecord(r Record) error {
	switch {
	case r.Kind == "" || r.Kind == aliasKind:
		return fmt.Errorf("kind %q is not for records", r.Kind)
	case r.Rank < 1:
		return fmt.Errorf("rank %d is not positive", r.Rank)
	}
	return nil
}

func (d *dumpReader) readMessage(l line) (*Message, error) {
	id, name := l.ID, "id"
	if d.header.Format == oldFormat {
		id, name = l.Timestamp, "timestamp"
	}
	if l.Queue == nil || id == nil || l.Body == nil {
		return nil, fmt.Errorf("a message needs the fields queue, %s and body", name)
	}
	if err := CheckName(*l.Queue); err != nil {
		return nil, err
	}
	if err := CheckBody(*l.Body, d.limit); err != nil {
		return nil, err
	}
	d.messages++
	m := &Message{ID: ID(*id), Queue: *l.Queue, Body: *l.Body}
	switch {
	case d.header.Format == oldFormat:
		m.ID = 0 // it gets a new one
	case m.ID == 0:
		return nil, errors.New("id 0 is no message's")
	case m.ID > d.header.LastID:
		return nil, fmt.Errorf("id %v is greater than the last one, %v", m.ID, d.header.LastID)
	case d.header.Format == dumpFormat && m.ID <= d.last:
		return nil, fmt.Errorf("id %v does not come after %v", m.ID, d.last)
	}
	d.last = m.ID
	return m, nil
}
