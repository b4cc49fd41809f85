package proc

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// line formats s as the kernel would, with ones in the fields that ParseStat
// does not keep.
func line(s Stat) string {
	flags := 0x00400000
	if s.Kernel {
		flags |= kernelThread
	}
	return fmt.Sprintf("%d (%s) %c %d %d %d 1 1 %d %s %d 1 %d %s\n", s.PID, s.Comm, s.State, s.PPID, s.Group, s.Session,
		flags, strings.TrimSpace(strings.Repeat("1 ", 10)), s.Threads, s.Ticks, strings.TrimSpace(strings.Repeat("1 ", 30)))
}

func TestParseStat(t *testing.T) {
	t.Parallel()
	plain := Stat{PID: 7, Comm: "sh", State: 'S', PPID: 1, Group: 7, Session: 7, Threads: 1, Ticks: 99}
	with := func(change func(*Stat)) Stat {
		s := plain
		change(&s)
		return s
	}
	for name, want := range map[string]Stat{
		"plain":            plain,
		"empty name":       with(func(s *Stat) { s.Comm = "" }),
		"name of spaces":   with(func(s *Stat) { s.Comm = " a b " }),
		"forged fields":    with(func(s *Stat) { s.Comm = "x) Z 1 1 1 (y" }),
		"newline in name":  with(func(s *Stat) { s.Comm = "a\nb) R" }),
		"reaped meanwhile": with(func(s *Stat) { s.State, s.Group, s.Session = 'X', -1, -1 }),
		"kernel thread":    with(func(s *Stat) { s.Kernel = true }),
		"largest ticks":    with(func(s *Stat) { s.Ticks = 1<<64 - 1 }),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := ParseStat([]byte(line(want)))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestParseStatRefuses(t *testing.T) {
	t.Parallel()
	whole := line(Stat{PID: 7, Comm: "sh", State: 'S', Ticks: 99})
	upTo := strings.Index(whole, " 99 ") + len(" 99")
	for name, in := range map[string]string{
		"nothing":           "",
		"no name":           "7 sh S 1",
		"parens reversed":   "7 )sh( S 1",
		"no pid":            "(sh) S 1",
		"pid not a number":  "x" + whole,
		"ticks cut short":   whole[:upTo],
		"ends before ticks": whole[:upTo-3],
		"negative ticks":    strings.Replace(whole, " 99 ", " -99 ", 1),
		"ticks overflow":    strings.Replace(whole, " 99 ", " 18446744073709551616 ", 1),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, err := ParseStat([]byte(in)); err == nil {
				t.Errorf("ParseStat(%q) = %+v, want an error", in, got)
			}
		})
	}
}

func TestParseStatReadsWhatTheKernelWrites(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.IntRange(-1, 1<<22)
		want := Stat{
			PID:     id.Draw(t, "pid"),
			Comm:    string(rapid.SliceOfN(rapid.ByteRange(1, 255), 0, 64).Draw(t, "comm")),
			State:   rapid.SampledFrom([]byte("RSDTtZXxKWPI")).Draw(t, "state"),
			PPID:    id.Draw(t, "ppid"),
			Group:   id.Draw(t, "group"),
			Session: id.Draw(t, "session"),
			Kernel:  rapid.Bool().Draw(t, "kernel"),
			Threads: id.Draw(t, "threads"),
			Ticks:   rapid.Uint64().Draw(t, "ticks"),
		}
		got, err := ParseStat([]byte(line(want)))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("-want +got:\n%s", diff)
		}
	})
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte(line(Stat{PID: 7, Comm: "a) Z (b", State: 'S', PPID: 1, Ticks: 99})))
	f.Add([]byte("7 (sh) S"))
	f.Add([]byte(")("))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := ParseStat(data)
		if err != nil {
			return
		}
		again, err := ParseStat([]byte(line(s)))
		if err != nil {
			t.Fatalf("parse what was parsed (%+v): %v", s, err)
		}
		if diff := cmp.Diff(s, again); diff != "" {
			t.Fatalf("-first +second:\n%s", diff)
		}
	})
}
