package weft

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

// A RepairReport says what [System.Repair] has done.
type RepairReport struct {
	Records []RepairedRecord
	File    string   // that holds what was set aside; empty if nothing was
	Store   []string // what else was mended, a line each
}

// A RepairedRecord is a record that was damaged.
type RepairedRecord struct {
	Kind, Key string
	Problem   string
	Mended    bool // it was made anew from what is known elsewhere
	Messages  int  // that went with it
}

// Repair sets the damaged records of the project aside, and with each what belongs to it
// and would be left over, or would run, without it: the requests of tasks among them,
// and what runs of a task is killed. All of it is in a file in the project's folder
// before it leaves the store, as JSON lines like those of [System.Dump]. What a damaged
// record said and something else says too is made anew. It also mends the store's
// count of ids, if that leaves none.
//
// Everything may go on meanwhile. A Repair that was interrupted can be repeated.
func (s System) Repair(ctx context.Context) (report RepairReport, err error) {
	if err := repair(ctx, s.project, &report); err != nil {
		return report, fmt.Errorf("repair project: %w", err)
	}
	return report, nil
}

func repair(ctx context.Context, p *Project, report *RepairReport) error {
	if p.trust.foreign != nil {
		return p.trust.foreign // before a file is made
	}
	var aside aside
	err := errors.Join(repairIDs(ctx, p, &aside, report), repairRecords(ctx, p, &aside, report))
	if aside.file != nil {
		report.File = aside.path
		err = errors.Join(err, aside.file.Close())
	}
	return err
}

// repairIDs sets messages aside that have the last ids there are, and lets the store
// count from the others.
func repairIDs(ctx context.Context, p *Project, aside *aside, report *RepairReport) error {
	var spent []broker.Message
	lost := false
	err := p.broker.View(ctx, func(r broker.Reader) (err error) {
		spent, lost, err = broker.SpentIDs(r)
		return err
	})
	if err == nil && len(spent) > 0 {
		err = aside.write(p.dir, "its id is among the last ones", nil, spent)
	}
	if err != nil || !lost {
		return err
	}
	err = p.broker.Update(ctx, func(tx *broker.Tx) error { return broker.ResetIDs(tx, spent) })
	if err == nil {
		err = p.trust.lower(ctx)
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
func repairRecords(ctx context.Context, p *Project, aside *aside, report *RepairReport) error {
	var found []ledger.Damage
	err := p.broker.View(ctx, func(r broker.Reader) (err error) {
		found, err = ledger.FindDamage(ctx, r)
		return err
	})
	for _, d := range found {
		if err == nil {
			err = repairRecord(ctx, p, d, aside, report)
		}
	}
	return err
}

// repairRecord repairs what one record needs.
func repairRecord(ctx context.Context, p *Project, d ledger.Damage, aside *aside, report *RepairReport) error {
	var fix *ledger.Repair
	err := p.broker.View(ctx, func(r broker.Reader) (err error) {
		fix, err = ledger.PrepareRepair(r, d)
		return err
	})
	if err == nil {
		err = aside.write(p.dir, d.Err.Err.Error(), append([]broker.Record{d.Record}, fix.Records...), fix.Messages)
	}
	if err != nil {
		return err
	}
	done := false
	err = p.broker.Update(ctx, func(tx *broker.Tx) (err error) {
		done, err = fix.Apply(tx, time.Now())
		return err
	})
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

// examineIDs looks whether the store can give ids.
func examineIDs(ctx context.Context, p *Project) Finding {
	const check = "ids"
	spent := false
	err := p.broker.View(ctx, func(r broker.Reader) (err error) {
		_, spent, err = broker.SpentIDs(r)
		return err
	})
	switch {
	case err != nil:
		return problem(check, err.Error(), "")
	case spent:
		return problem(check, "the store has given one of the last ids there are", "weft system repair")
	}
	return fine(check, "there are enough")
}

// examineRecords names the damaged records.
func examineRecords(ctx context.Context, p *Project) (found []Finding) {
	const check = "records"
	var damage []ledger.Damage
	err := p.broker.View(ctx, func(r broker.Reader) (err error) {
		damage, err = ledger.FindDamage(ctx, r)
		return err
	})
	if err != nil {
		return unknown(check, err)
	}
	const most, advice = 20, "weft system repair, which sets it aside"
	for _, d := range damage[:min(most, len(damage))] {
		found = append(found, problem(check, fmt.Sprintf("%s is damaged and passed over: %v", d.Err.Name(), d.Err.Err), advice))
	}
	if more := len(damage) - most; more > 0 {
		found = append(found, problem(check, fmt.Sprintf("and %d more are damaged", more), advice))
	}
	if len(damage) == 0 {
		found = append(found, fine(check, "all can be read"))
	}
	return found
}

// damageLooked is how many of the newest records of each kind [System.Check] looks at.
const damageLooked = 200

// damageProblem is the line of [System.Check] about damaged records, if there are some
// among the newest.
func damageProblem(ctx context.Context, p *Project) (line string, err error) {
	var damage []ledger.Damage
	err = p.broker.View(ctx, func(r broker.Reader) (err error) {
		damage, err = ledger.RecentDamage(r, damageLooked)
		return err
	})
	switch {
	case err != nil || len(damage) == 0:
		return "", err
	case len(damage) == 1:
		return "1 damaged record: weft system doctor", nil
	}
	return fmt.Sprintf("%d damaged records: weft system doctor", len(damage)), nil
}
