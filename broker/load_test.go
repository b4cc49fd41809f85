package broker_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"weft/broker"
)

// lines joins the lines of a dump.
func lines(all ...string) string { return strings.Join(all, "\n") + "\n" }

// The beginnings of dumps.
const (
	ownMeta  = `{"type":"meta","format":"weft-dump","version":1,"last_id":"1795262400000000000"}`
	headMeta = `{"backend":"sqlite","format":"simplebroker-dump","last_ts":"1795262400000000000","type":"header","version":1}`
	oldMeta  = `{"type":"meta","alias_version":0,"last_ts":1795262400000000000,"magic":"simplebroker-v1","schema_version":4}`
	message1 = `{"type":"message","queue":"q","id":"1795262300000000001","body":"one"}`
	message2 = `{"type":"message","queue":"q","id":"1795262300000000002","body":"two"}`
)

func end(n int) string { return fmt.Sprintf(`{"type":"end","messages":%d}`, n) }

// TestLoadRefuses damages dumps in every way; nothing of them may stay.
// An error of the reader is not taken for a damaged dump, where it cuts a line off either.
func TestCheckDumpReadError(t *testing.T) {
	t.Parallel()
	for _, read := range []string{"", ownMeta[:20], ownMeta + "\n", lines(ownMeta, message1) + message2[:30]} {
		r := io.MultiReader(strings.NewReader(read), iotest.ErrReader(io.ErrNoProgress))
		_, err := broker.CheckDump(t.Context(), r, broker.Options{}, broker.LoadOptions{})
		if !errors.Is(err, io.ErrNoProgress) || errors.Is(err, broker.ErrDump) {
			t.Errorf("after %q: %v", read, err)
		}
	}
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ dump, want string }{
		"empty":               {"", "it is empty"},
		"blank":               {"\n \n", "it is empty"},
		"not JSON":            {"PK\x03\x04", "line 1: bad dump: not JSON"},
		"not UTF-8":           {lines(ownMeta, "{\"type\":\"\xff\"}"), "line 2: bad dump: not UTF-8"},
		"not an object":       {"[]", "line 1: bad dump: want an object, not a array"},
		"no meta":             {lines(message1), "line 1: bad dump: the first line is not that of a dump"},
		"foreign":             {`{"type":"meta","format":"other","version":1,"last_id":"1"}`, "line 1"},
		"newer":               {strings.Replace(ownMeta, `"version":1`, `"version":2`, 1), "line 1: bad dump: this weft knows only version 1 of the format weft-dump"},
		"newer, head":         {strings.Replace(headMeta, `"version":1`, `"version":2`, 1), "line 1: bad dump: this weft knows only version 1"},
		"no last id":          {`{"type":"meta","format":"weft-dump","version":1}`, "line 1: bad dump: the last id is missing"},
		"last id too late":    {`{"type":"meta","format":"weft-dump","version":1,"last_id":"4611686018427387905"}`, "line 1: bad dump: id 4611686018427387905 is of the year 2116 or later"},
		"last id negative":    {`{"type":"meta","format":"weft-dump","version":1,"last_id":-1}`, "want a whole number"},
		"two metas":           {lines(ownMeta, ownMeta, end(0)), `line 2: bad dump: type "meta" is unknown`},
		"no type":             {lines(ownMeta, `{}`, end(0)), `line 2: bad dump: type "" is unknown`},
		"cut off":             {lines(ownMeta, message1), "line 3: bad dump: it is cut off"},
		"cut off in a line":   {lines(ownMeta, message1) + message2[:20], "line 3: bad dump: not JSON"},
		"a message lost":      {lines(ownMeta, message1, end(2)), "line 3: bad dump: not as many messages as there should be: it has 1"},
		"goes on":             {lines(ownMeta, message1, end(1), message2), "line 4: bad dump: it goes on after its end"},
		"blank lines count":   {lines(ownMeta, "", message1, "", "x"), "line 5"},
		"twice":               {lines(ownMeta, message1, message1, end(2)), "line 3: bad dump: id 1795262300000000001 does not come after 1795262300000000001"},
		"id after the last":   {lines(ownMeta, strings.Replace(message1, "1795262300", "1795262500", 1), end(1)), "is greater than the last one"},
		"id zero":             {lines(ownMeta, strings.Replace(message1, "1795262300000000001", "0", 1), end(1)), "line 2: bad dump: id 0 is no message's"},
		"no id":               {lines(ownMeta, `{"type":"message","queue":"q","body":""}`, end(1)), "line 2: bad dump: a message needs the fields queue, id and body"},
		"no body":             {lines(ownMeta, `{"type":"message","queue":"q","id":"1"}`, end(1)), "line 2"},
		"body is a number":    {lines(ownMeta, `{"type":"message","queue":"q","id":"1","body":1}`, end(1)), `line 2: bad dump: field "body" must not be a number`},
		"bad queue":           {lines(ownMeta, `{"type":"message","queue":"../q","id":"1","body":""}`, end(1)), "line 2: bad dump: invalid queue name"},
		"large body":          {lines(ownMeta, `{"type":"message","queue":"q","id":"1","body":"`+strings.Repeat("x", 2000)+`"}`, end(1)), "line 2: bad dump: message too large"},
		"endless line":        {lines(ownMeta) + strings.Repeat(" ", 2<<20), "line 2: bad dump: the line has more than"},
		"bad alias":           {lines(ownMeta, `{"type":"alias","alias":"@a","target":"q"}`, end(0)), "line 2: bad dump: invalid queue name"},
		"half an alias":       {lines(ownMeta, `{"type":"alias","alias":"a"}`, end(0)), "line 2: bad dump: an alias needs"},
		"alias of itself":     {lines(ownMeta, `{"type":"alias","alias":"a","target":"a"}`, end(0)), "line 2: bad dump: invalid alias"},
		"alias twice":         {lines(ownMeta, `{"type":"alias","alias":"a","target":"q"}`, `{"type":"alias","alias":"a","target":"q"}`, end(0)), "line 3: bad dump: invalid alias"},
		"alias of an alias":   {lines(ownMeta, `{"type":"alias","alias":"a","target":"q"}`, `{"type":"alias","alias":"b","target":"a"}`, end(0)), "line 3: bad dump: invalid alias"},
		"alias of a target":   {lines(ownMeta, `{"type":"alias","alias":"a","target":"q"}`, `{"type":"alias","alias":"q","target":"b"}`, end(0)), "line 3: bad dump: invalid alias"},
		"half a record":       {lines(ownMeta, `{"type":"record","kind":"k","key":"a","state":"","rank":1}`, end(0)), "line 2: bad dump: a record needs"},
		"alias as a record":   {lines(ownMeta, `{"type":"record","kind":"alias","key":"a","state":"q","rank":1,"body":""}`, end(0)), `line 2: bad dump: kind "alias" is not for records`},
		"record without rank": {lines(ownMeta, `{"type":"record","kind":"k","key":"a","state":"","rank":0,"body":""}`, end(0)), "line 2: bad dump: rank 0"},
		"record twice": {lines(ownMeta, `{"type":"record","kind":"k","key":"a","state":"","rank":1,"body":""}`, `{"type":"record","kind":"k","key":"a","state":"","rank":2,"body":""}`, end(0)),
			`line 3: bad dump: record k "a" is there twice`},
		"head, a record":     {lines(headMeta, `{"type":"record","kind":"k","key":"a","state":"","rank":1,"body":""}`), `line 2: bad dump: type "record" is unknown`},
		"head, an end":       {lines(headMeta, end(0)), `line 2: bad dump: type "end" is unknown`},
		"head, one id twice": {lines(headMeta, message2, message1, strings.Replace(message2, `"q"`, `"r"`, 1)), "two messages have the id 1795262300000000002"},
		"head, late id":      {lines(headMeta, message1, strings.Replace(message1, "1795262300", "1795262500", 1)), "line 3"},
		"0.1.0, no time":     {lines(oldMeta, message1), "line 2: bad dump: a message needs the fields queue, timestamp and body"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := open(t, t.TempDir(), broker.Options{MaxMessage: 1000})
			fillSmall(t, b)
			before := read(t, b)
			for _, dry := range []bool{true, false} {
				_, err := b.Load(t.Context(), strings.NewReader(test.dump), broker.LoadOptions{DryRun: dry})
				if !errors.Is(err, broker.ErrDump) || !strings.Contains(err.Error(), test.want) {
					t.Errorf("dry run %v: error %v, want %q", dry, err, test.want)
				}
			}
			same(t, before, read(t, b))
		})
	}
}

// TestLoadOriginal reads the formats of the original.
func TestLoadOriginal(t *testing.T) {
	t.Parallel()
	views := func(queue string) broker.ViewFunc {
		if !strings.HasPrefix(queue, "weft.state.") {
			return nil
		}
		return func(broker.Reader, broker.Select) ([]broker.Message, error) { return nil, nil }
	}
	head := lines(headMeta,
		`{"alias":"mail","target":"post","type":"alias"}`,
		`{"alias":"state","target":"weft.state.workers","type":"alias"}`,
		`{"body":"b1","id":"1795262300000000003","queue":"b","type":"message"}`,
		`{"body":"b2","id":1795262300000000004,"queue":"b","type":"message"}`,
		`{"body":"a1","id":"1795262300000000001","queue":"a","type":"message"}`,
		`{"body":"s","id":"1795262300000000005","queue":"weft.state.workers","type":"message"}`)
	old := lines(oldMeta,
		`{"type":"alias","alias":"mail","target":"post"}`, "",
		`{"type":"message","queue":"b","timestamp":1795262300000000003,"body":"b1"}`,
		`{"type":"message","queue":"weft.state.workers","timestamp":1795262300000000005,"body":"s"}`,
		`{"type":"message","queue":"a","timestamp":1795262300000000001,"body":"a1"}`)
	alias := broker.Record{Kind: "alias", Key: "mail", State: "post", Rank: 1}

	b := open(t, t.TempDir(), broker.Options{Views: views})
	report := load(t, b, []byte(head))
	want := broker.LoadReport{Header: broker.Header{Format: "simplebroker-dump", LastID: 1795262400000000000}, Aliases: 1, Messages: 3, Queues: 2, Views: 2}
	if diff := cmp.Diff(want, report); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	same(t, content{
		Messages: []broker.Message{{ID: 1795262300000000001, Queue: "a", Body: "a1"}, {ID: 1795262300000000003, Queue: "b", Body: "b1"}, {ID: 1795262300000000004, Queue: "b", Body: "b2"}},
		Records:  []broker.Record{alias}, LastID: 1795262400000000000,
	}, read(t, b))

	// The messages of the other format come behind all there are.
	report = load(t, b, []byte(old))
	want = broker.LoadReport{Header: broker.Header{Format: "weft-0.1.0", LastID: 1795262400000000000}, Messages: 2, Queues: 2, Present: 1, Views: 1}
	if diff := cmp.Diff(want, report); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	got := read(t, b).Messages[3:]
	for i, want := range []string{"b b1", "a a1"} {
		if text := got[i].Queue + " " + got[i].Body; text != want || got[i].ID <= 1795262400000000000 {
			t.Errorf("message %d is %+v", i, got[i])
		}
	}
}

// TestLoadConflicts names everything that is in the way, and changes nothing.
func TestLoadConflicts(t *testing.T) {
	t.Parallel()
	b := open(t, t.TempDir(), broker.Options{})
	ids := fillSmall(t, b) // alias of a; records k 1 and k 2
	if err := b.Aliases().Add(t.Context(), "alias2", "b"); err != nil {
		t.Fatal(err)
	}
	before := read(t, b)
	dumped := lines(
		`{"type":"meta","format":"weft-dump","version":1,"last_id":"4611686018427387904"}`,
		`{"type":"alias","alias":"a","target":"other"}`,
		`{"type":"alias","alias":"alias","target":"q"}`,
		`{"type":"alias","alias":"chain","target":"alias2"}`,
		`{"type":"alias","alias":"fine","target":"b"}`,
		`{"type":"record","kind":"k","key":"1","state":"s","rank":1,"body":"secret"}`,
		`{"type":"record","kind":"k","key":"2","state":"s","rank":2,"body":"other"}`,
		`{"type":"record","kind":"k","key":"3","state":"s","rank":3,"body":"new"}`,
		fmt.Sprintf(`{"type":"message","queue":"q","id":"%d","body":""}`, ids[0]-1),
		fmt.Sprintf(`{"type":"message","queue":"q","id":"%d","body":""}`, ids[0]),
		fmt.Sprintf(`{"type":"message","queue":"q","id":"%d","body":""}`, ids[1]),
		`{"type":"message","queue":"q","id":"4611686018427387904","body":""}`,
		end(4))
	want := []string{
		`alias "a" of "other": invalid alias: alias "alias" stands for a queue of that name`,
		`alias "alias" of "q": already exists: it stands for "a"`,
		`alias "chain" of "alias2": invalid alias: "alias2" is an alias itself`,
		`k 2 is there already and differs`,
		fmt.Sprintf("message %d is there already and differs", ids[0]),
		fmt.Sprintf("message %d is there already and differs", ids[1]),
	}
	for _, dry := range []bool{true, false} {
		report, err := b.Load(t.Context(), strings.NewReader(dumped), broker.LoadOptions{DryRun: dry, Force: true})
		if !errors.Is(err, broker.ErrConflict) {
			t.Errorf("error %v", err)
		}
		if diff := cmp.Diff(want, report.Conflicts); diff != "" || report.Conflicting != len(want) {
			t.Errorf("dry run %v: %d conflicts (-want +got):\n%s", dry, report.Conflicting, diff)
		}
		if report.Present != 1 || report.Records != 1 || report.Aliases != 1 {
			t.Errorf("dry run %v: %+v", dry, report)
		}
		same(t, before, read(t, b))
	}
}

// TestLoadManyConflicts has too many of them to name, among many messages.
func TestLoadManyConflicts(t *testing.T) {
	t.Parallel()
	b, other := open(t, t.TempDir(), broker.Options{}), open(t, t.TempDir(), broker.Options{})
	ids, err := b.Queue("q").WriteAll(t.Context(), make([]string, 2500))
	if err != nil {
		t.Fatal(err)
	}
	dumped := dump(t, b)
	if _, err := b.Queue("q").ReadAll(t.Context(), broker.Select{Limit: 1000}); err != nil {
		t.Fatal(err)
	}
	before := read(t, b)
	changed := bytes.ReplaceAll(dumped, []byte(`"body":""`), []byte(`"body":"x"`))
	report, err := b.Load(t.Context(), bytes.NewReader(changed), broker.LoadOptions{})
	if !errors.Is(err, broker.ErrConflict) || report.Conflicting != 1500 || len(report.Conflicts) != 20 ||
		!strings.HasSuffix(err.Error(), "; and 1480 more") {
		t.Errorf("%d conflicts, %d named: %v", report.Conflicting, len(report.Conflicts), err)
	}
	same(t, before, read(t, b))

	// Two ids with thousands of others between them.
	load(t, other, dumped)
	sparse := lines(`{"type":"meta","format":"weft-dump","version":1,"last_id":"4611686018427387904"}`,
		fmt.Sprintf(`{"type":"message","queue":"q","id":"%d","body":""}`, ids[0]-1),
		fmt.Sprintf(`{"type":"message","queue":"q","id":"%d","body":"x"}`, ids[1]),
		fmt.Sprintf(`{"type":"message","queue":"p","id":"%d","body":""}`, ids[2499]),
		fmt.Sprintf(`{"type":"message","queue":"q","id":"%d","body":""}`, ids[2499]+1), end(4))
	report, err = other.Load(t.Context(), strings.NewReader(sparse), broker.LoadOptions{Force: true})
	want := []string{fmt.Sprintf("message %d is there already and differs", ids[1]), fmt.Sprintf("message %d is there already and differs", ids[2499])}
	if !errors.Is(err, broker.ErrConflict) || !slices.Equal(report.Conflicts, want) {
		t.Errorf("conflicts %q: %v, want %q", report.Conflicts, err, want)
	}
}

// TestLoadMerges takes in what is left when a part of it is there already, and
// gives no id that the dumped store had given.
func TestLoadMerges(t *testing.T) {
	t.Parallel()
	b, other := open(t, t.TempDir(), broker.Options{}), open(t, t.TempDir(), broker.Options{})
	ids := fillSmall(t, b)
	dumped := dump(t, b)
	load(t, other, dumped)
	after := read(t, other)
	if report := load(t, other, dumped); report.Present != 3+len(ids) || report.Queues != 0 || report.Aliases+report.Records+report.Messages != 0 {
		t.Errorf("the second time: %+v", report)
	}
	same(t, after, read(t, other))
	same(t, read(t, b), after)
	// So it is with one's own, of which a part has been read since.
	if _, err := b.Queue("b").Delete(t.Context(), broker.Select{}); err != nil {
		t.Fatal(err)
	}
	if report := load(t, b, dumped); report.Messages == 0 || report.Present+report.Messages != 3+len(ids) {
		t.Errorf("one's own: %+v", report)
	}
	same(t, after, read(t, b))
}

// TestLoadFromFuture refuses ids that are far ahead, for all later ones would be so.
func TestLoadFromFuture(t *testing.T) {
	t.Parallel()
	at := func(ahead time.Duration) string {
		id := broker.IDAt(time.Now().Add(ahead))
		return lines(fmt.Sprintf(`{"type":"meta","format":"weft-dump","version":1,"last_id":"%d"}`, id), end(0))
	}
	b := open(t, t.TempDir(), broker.Options{})
	before := read(t, b)
	far := at(broker.MaxAhead + time.Hour)
	for _, o := range []broker.LoadOptions{{}, {DryRun: true}} {
		if _, err := b.Load(t.Context(), strings.NewReader(far), o); !errors.Is(err, broker.ErrFuture) {
			t.Errorf("%+v: error %v", o, err)
		}
	}
	if _, err := broker.CheckDump(t.Context(), strings.NewReader(far), broker.Options{}, broker.LoadOptions{}); !errors.Is(err, broker.ErrFuture) {
		t.Errorf("where there is no store: error %v", err)
	}
	same(t, before, read(t, b))
	if _, err := b.Load(t.Context(), strings.NewReader(at(broker.MaxAhead-time.Hour)), broker.LoadOptions{}); err != nil {
		t.Errorf("an hour less than a day ahead: %v", err)
	}
	if _, err := b.Load(t.Context(), strings.NewReader(far), broker.LoadOptions{Force: true}); err != nil {
		t.Errorf("forced: %v", err)
	}
	load(t, b, dump(t, b)) // the store is as far ahead itself
}

// TestLoadPolicy lets somebody decide.
func TestLoadPolicy(t *testing.T) {
	t.Parallel()
	b, other := open(t, t.TempDir(), broker.Options{}), open(t, t.TempDir(), broker.Options{})
	fillSmall(t, b)
	dumped := dump(t, b)
	refused := errors.New("refused")
	passes, done := 0, 0
	policy := func(p broker.Policy) broker.LoadOptions {
		return broker.LoadOptions{Policy: func(h broker.Header) broker.Policy {
			passes++
			if h.Format != "weft-dump" || h.Store == "" || h.LastID == 0 || h.Created.IsZero() {
				t.Errorf("header %+v", h)
			}
			return p
		}}
	}
	before := read(t, other)
	for want, p := range map[string]broker.Policy{
		"line 3: refused": {Record: func(r broker.Record, _ *broker.Record) (broker.Record, broker.Verdict, error) { return r, 0, refused }},
		"line 5: refused": {Message: func(broker.Message) (bool, error) { return true, refused }},
		"load: refused":   {Done: func(*broker.Tx) error { return refused }},
	} {
		_, err := other.Load(t.Context(), bytes.NewReader(dumped), policy(p))
		if !errors.Is(err, refused) || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
		same(t, before, read(t, other))
	}
	passes = 0
	report, err := other.Load(t.Context(), bytes.NewReader(dumped), policy(broker.Policy{
		Record: func(r broker.Record, here *broker.Record) (broker.Record, broker.Verdict, error) {
			if r.Body = "changed"; r.Key == "1" {
				return r, broker.Leave, nil
			}
			return r, broker.Take, nil
		},
		Message: func(m broker.Message) (bool, error) { return m.Queue == "b", nil },
		Done: func(tx *broker.Tx) error {
			done++
			ms, err := tx.Messages("b", broker.Select{})
			if err == nil && len(ms) != 1 {
				err = fmt.Errorf("%d messages are there", len(ms))
			}
			return err
		},
	}))
	if err != nil || report.Records != 1 || report.Messages != 1 || passes != 2 || done != 1 {
		t.Errorf("%d passes, done %d: %+v, %v", passes, done, report, err)
	}
	got := read(t, other)
	if len(got.Records) != 2 || got.Records[1].Body != "changed" || len(got.Messages) != 1 {
		t.Errorf("store holds %+v", got)
	}
}

// TestLoadDryRun says what a load does, and does nothing.
func TestLoadDryRun(t *testing.T) {
	t.Parallel()
	b, other := open(t, t.TempDir(), broker.Options{}), open(t, t.TempDir(), broker.Options{})
	fillSmall(t, b)
	dumped := dump(t, b)
	before := read(t, other)
	preview, err := other.Load(t.Context(), bytes.NewReader(dumped), broker.LoadOptions{DryRun: true})
	if err != nil {
		t.Fatal(err)
	}
	same(t, before, read(t, other))
	checked, err := broker.CheckDump(t.Context(), bytes.NewBuffer(dumped), broker.Options{}, broker.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	report := load(t, other, dumped)
	for what, got := range map[string]broker.LoadReport{"dry run": preview, "check": checked} {
		if diff := cmp.Diff(report, got); diff != "" {
			t.Errorf("%s (-load +got):\n%s", what, diff)
		}
	}
}

// TestLoadFrom begins where the reader stands, and needs one that can go back.
func TestLoadFrom(t *testing.T) {
	t.Parallel()
	b := open(t, t.TempDir(), broker.Options{})
	r := strings.NewReader("something else\n" + lines(ownMeta, message1, end(1)))
	if _, err := r.Seek(15, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Load(t.Context(), r, broker.LoadOptions{}); err != nil {
		t.Error(err)
	}
	stuck := errors.New("cannot go back")
	_, err := b.Load(t.Context(), stubborn{strings.NewReader(""), stuck}, broker.LoadOptions{})
	if !errors.Is(err, stuck) {
		t.Errorf("error %v", err)
	}
}

type stubborn struct {
	io.Reader
	err error
}

func (s stubborn) Seek(int64, int) (int64, error) { return 0, s.err }

// TestLoadCancelled ends a load in its transaction.
func TestLoadCancelled(t *testing.T) {
	t.Parallel()
	b, other := open(t, t.TempDir(), broker.Options{}), open(t, t.TempDir(), broker.Options{})
	if _, err := b.Queue("q").WriteAll(t.Context(), make([]string, 5000)); err != nil {
		t.Fatal(err)
	}
	before := read(t, other)
	ctx, cancel := context.WithCancel(t.Context())
	pass := 0
	_, err := other.Load(ctx, bytes.NewReader(dump(t, b)), broker.LoadOptions{Policy: func(broker.Header) broker.Policy {
		pass++
		seen := 0
		return broker.Policy{Message: func(broker.Message) (bool, error) {
			if seen++; pass == 2 && seen == 3000 {
				cancel()
			}
			return true, nil
		}}
	}})
	if !errors.Is(err, context.Canceled) || pass != 2 {
		t.Errorf("error %v in pass %d", err, pass)
	}
	same(t, before, read(t, other))
}

// TestLoadRings wakes who waits for a queue that is loaded.
func TestLoadRings(t *testing.T) {
	t.Parallel()
	b := open(t, t.TempDir(), broker.Options{})
	w, err := b.Listen("q")
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	load(t, b, []byte(lines(ownMeta, message1, end(1))))
	<-w.C()
}

// FuzzLoad checks that a dump is refused and leaves nothing, or is taken in and
// comes out again as it went in.
func FuzzLoad(f *testing.F) {
	for _, meta := range []string{ownMeta, headMeta, oldMeta} {
		f.Add(lines(meta, message1, message2, end(2)))
	}
	f.Add(lines(oldMeta, `{"type":"message","queue":"b","timestamp":1795262300000000003,"body":"\u0000\ud800"}`))
	f.Add(lines(`{"type":"header","format":"simplebroker-dump","version":1,"backend":"sqlite","last_ts":9000000000000000000}`)) // from the future
	f.Add(lines(ownMeta, `{"type":"alias","alias":"a","target":"q"}`, `{"type":"record","kind":"k","key":"a","state":"","rank":1,"body":""}`, end(0)))
	// Opening a store for each input would take most of the time.
	b, other := open(f, f.TempDir(), broker.Options{MaxMessage: 1000}), open(f, f.TempDir(), broker.Options{MaxMessage: 1000})
	f.Fuzz(func(t *testing.T, dumped string) {
		checked, err := broker.CheckDump(t.Context(), strings.NewReader(dumped), broker.Options{MaxMessage: 1000}, broker.LoadOptions{})
		if err != nil {
			if !errors.Is(err, broker.ErrDump) && !errors.Is(err, broker.ErrFuture) {
				t.Errorf("error %v", err)
			}
			return
		}
		empty(t, b)
		empty(t, other)
		if report := load(t, b, []byte(dumped)); !cmp.Equal(checked, report) {
			t.Errorf("the check said %+v, the load %+v", checked, report)
		}
		c := read(t, b)
		if len(c.Messages) != checked.Messages || len(c.Records) != checked.Records+checked.Aliases || c.LastID < checked.Header.LastID {
			t.Errorf("reported %+v, store holds %+v", checked, c)
		}
		load(t, other, dump(t, b))
		same(t, c, read(t, other))
	})
}

// empty deletes everything from a store.
func empty(t rapid.TB, b *broker.Broker) {
	t.Helper()
	c := read(t, b)
	err := b.Update(context.Background(), func(tx *broker.Tx) error {
		for _, m := range c.Messages {
			if _, err := tx.Delete(m.Queue, broker.Select{}); err != nil {
				return err
			}
		}
		for _, r := range c.Records {
			if err := tx.DeleteRecord(r.Kind, r.Key); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
