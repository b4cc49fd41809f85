package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"weft/broker"
	"weft/broker/sqlite"
	"weft/internal/ledger"
	"weft/internal/protocol"
)

// damages are the ways in which the body of a record is damaged: it is no JSON, or JSON
// of another shape, or what a newer version may write.
var damages = map[string]string{
	"garbage": "garbage",
	"shape":   `{"tid":5,"name":[],"queue":{},"functions":7,"wait_ns":"long","process":"none"}`,
	"newer":   `{"version":99,"status":"hibernating"}`,
}

// damage is a command of scripts: damage KIND KEY HOW damages a record; where there is
// none, it makes one. KEY may be the name of a file that holds it; any means all.
func damage(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: damage KIND KEY HOW")
	}
	key := args[1]
	if text, err := os.ReadFile(ts.MkAbs(key)); err == nil {
		key = strings.TrimSpace(string(text))
	}
	ts.Check(damageRecord(ts.MkAbs(ledger.Dir), args[0], key, damages[args[2]]))
}

// age is a command of scripts: it makes the project's manager one of the version of Weft
// before there was a protocol.
func age(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Check(change(ts.MkAbs(ledger.Dir), func(tx *broker.Tx) error {
		rec, err := tx.Record(ledger.ManagerKind, ledger.CurrentManager)
		if err != nil {
			return err
		}
		old := strings.Replace(rec.Body, fmt.Sprintf(`"protocol":%d,`, protocol.Version), "", 1)
		if old == rec.Body {
			return fmt.Errorf("the record of the manager has no protocol: %s", rec.Body)
		}
		rec.Body = old
		return tx.PutRecord(rec)
	}))
}

// spend is a command of scripts: it takes the last message id that there is.
func spend(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Check(change(ts.MkAbs(ledger.Dir), func(tx *broker.Tx) error {
		return tx.Restore(broker.Message{ID: math.MaxInt64, Queue: "far", Body: "far"})
	}))
}

// change changes the store in a folder.
func change(dir string, fn func(*broker.Tx) error) error {
	b, err := sqlite.Open(dir, sqlite.Options{})
	if err != nil {
		return err
	}
	defer b.Close()
	return b.Update(context.Background(), fn)
}

func damageRecord(dir, kind, key, body string) error {
	return change(dir, func(tx *broker.Tx) error {
		if key == "any" {
			all, err := tx.Records(kind, broker.RecordSelect{})
			for _, rec := range all {
				rec.Body = body
				err = errors.Join(err, tx.PutRecord(rec))
			}
			return err
		}
		rec, err := tx.Record(kind, key)
		if err != nil {
			// The rank and state of one that might be met everywhere.
			rec = broker.Record{Kind: kind, Key: key, State: "running", Rank: math.MaxInt64 / 2}
		}
		rec.Body = body
		return tx.PutRecord(rec)
	})
}

// TestDamagedRecords damages records of each kind that there is, in each way, and does
// all there is to do: nothing else suffers, and they can be set aside.
func TestDamagedRecords(t *testing.T) {
	for _, kind := range ledger.Kinds() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			runScripts(t, filepath.Join("testdata", "damage", "each.txtar"), map[string]string{"KIND": kind})
		})
	}
}

// TestEachDamageIsOne says that each way of damage is one for each kind.
func TestEachDamageIsOne(t *testing.T) {
	t.Parallel()
	for _, kind := range ledger.Kinds() {
		for how, body := range damages {
			rec := broker.Record{Kind: kind, Key: "key", State: "running", Rank: 1, Body: body}
			err := ledger.Check(rec)
			if err == nil || !strings.Contains(err.Error(), "weft system repair") {
				t.Errorf("%s, %s: %v", kind, how, err)
			}
		}
	}
}
