package upkeep

import (
	"bufio"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
	"unicode/utf8"

	"weft/broker"
	"weft/internal/ledger"
	"weft/internal/project"
	"weft/manager"
)

// Repaired says what [Repair] has done.
type Repaired struct {
	Records []RepairedRecord
	File    string   // that holds what was set aside; empty if nothing was
	Store   []string // what else was mended, a line each
}

// A RepairedRecord is a record that was damaged.
type RepairedRecord struct {
	Kind, Key string
	Problem   string
	Mended    bool
	Messages  int
}

// Repair sets the damaged records of a project aside, with what belongs to them, and
// mends the store's count of ids.
func Repair(ctx context.Context, p Project) (report Repaired, err error) {
	var aside aside
	err = errors.Join(repairIDs(ctx, p, &aside, &report), repairRecords(ctx, p, &aside, &report))
	if aside.file != nil {
		report.File = aside.path
		err = errors.Join(err, aside.file.Close())
	}
	return report, err
}

// repairIDs sets messages aside that have the last ids there are, and lets the store
// count from the others.
func repairIDs(ctx context.Context, p Project, aside *aside, report *Repaired) error {
	var spent []broker.Message
	lost := false
	err := p.Broker.View(ctx, func(r broker.Reader) (err error) {
		spent, lost, err = broker.SpentIDs(r)
		return err
	})
	if err == nil && len(spent) > 0 {
		err = aside.write(p.Dir, "its id is among the last ones", nil, spent)
	}
	if err != nil || !lost {
		return err
	}
	err = p.Broker.Update(ctx, func(tx *broker.Tx) error { return broker.ResetIDs(tx, spent) })
	if err == nil {
		err = p.LowerTrust(ctx)
	}
	if err != nil {
		return err
	}
	report.Store = append(report.Store, "the count of message ids was made anew")
	for _, m := range spent {
		report.Store = append(report.Store, fmt.Sprintf("message %v of %s was set aside: its id is among the last ones", m.ID, m.Queue))
	}
	return nil
}

// repairRecords repairs all damaged records.
func repairRecords(ctx context.Context, p Project, aside *aside, report *Repaired) error {
	found, err := findDamage(ctx, p)
	for _, d := range found {
		if err == nil {
			err = repairRecord(ctx, p, d, aside, report)
		}
	}
	return err
}

// findDamage finds all damaged records.
func findDamage(ctx context.Context, p Project) ([]ledger.Damage, error) {
	return broker.View(ctx, p.Broker, func(r broker.Reader) ([]ledger.Damage, error) { return ledger.FindDamage(ctx, r) })
}

// repairRecord repairs what one record needs.
func repairRecord(ctx context.Context, p Project, d ledger.Damage, aside *aside, report *Repaired) error {
	fix, err := broker.View(ctx, p.Broker, func(r broker.Reader) (*ledger.Repair, error) { return ledger.PrepareRepair(r, d) })
	if err == nil {
		err = aside.write(p.Dir, d.Err.Err.Error(), append([]broker.Record{d.Record}, fix.Records...), fix.Messages)
	}
	if err != nil {
		return err
	}
	done, err := broker.Update(ctx, p.Broker, func(tx *broker.Tx) (bool, error) { return fix.Apply(tx, time.Now()) })
	if err != nil || !done {
		return err
	}
	report.Records = append(report.Records, RepairedRecord{
		Kind: d.Record.Kind, Key: d.Record.Key, Problem: d.Err.Err.Error(), Mended: fix.Instead != nil, Messages: len(fix.Messages),
	})
	if tid := fix.Running(); tid != "" && tid != os.Getenv(ledger.EnvTID) {
		manager.Sweep(ctx, tid)
	}
	return nil
}

// aside is the file that holds what was set aside. It is made when there is something.
type aside struct {
	file *os.File
	path string
}

// asideLine is a record or a message. A body that is not UTF-8 is in base64.
type asideLine struct {
	Type  string  `json:"type"`
	Kind  string  `json:"kind,omitempty"`
	Key   string  `json:"key,omitempty"`
	State *string `json:"state,omitempty"`
	Rank  *int64  `json:"rank,omitempty"`
	Queue string  `json:"queue,omitempty"`
	ID    string  `json:"id,omitempty"`
	Body  *string `json:"body,omitempty"`
	Bytes string  `json:"body_base64,omitempty"`
	// Problem is what was wrong with the first of those that went together.
	Problem string `json:"problem,omitempty"`
}

func (l asideLine) with(body string) asideLine {
	if utf8.ValidString(body) {
		l.Body = &body
	} else {
		l.Bytes = base64.StdEncoding.EncodeToString([]byte(body))
	}
	return l
}

// write writes what is to be taken out of the store, because of a problem, to the file in
// the project's folder, and returns when it is safe.
func (a *aside) write(dir, problem string, records []broker.Record, messages []broker.Message) error {
	if a.file == nil {
		name := "damaged-" + time.Now().UTC().Format("20060102T150405.000000000") + ".jsonl"
		folder, err := project.Open(dir)
		if err != nil {
			return err
		}
		defer folder.Close()
		if a.file, err = folder.Create(name); err != nil {
			return err
		}
		a.path = filepath.Join(dir, name)
	}
	buf := bufio.NewWriter(a.file)
	out := json.NewEncoder(buf)
	var failed error
	for _, rec := range records {
		l := asideLine{Type: "record", Kind: rec.Kind, Key: rec.Key, State: &rec.State, Rank: &rec.Rank, Problem: problem}
		failed, problem = cmp.Or(failed, out.Encode(l.with(rec.Body))), ""
	}
	for _, m := range messages {
		l := asideLine{Type: "message", Queue: m.Queue, ID: m.ID.String(), Problem: problem}
		failed, problem = cmp.Or(failed, out.Encode(l.with(m.Body))), ""
	}
	return cmp.Or(failed, buf.Flush(), a.file.Sync(), project.Sync(dir, false))
}
