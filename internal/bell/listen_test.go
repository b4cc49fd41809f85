package bell

import (
	"testing"

	"pgregory.net/rapid"
)

func TestAnotherProcessRings(t *testing.T) {
	t.Parallel()
	dir := newFolder(t)
	s := newSet(t, dir, nil)
	l := listen(t, s, "a")
	other := startRinger(t, dir)
	for range 20 {
		other.ring(t, 0, "a")
		hears(t, l)
	}
	next := listen(t, s, "c")
	other.ring(t, 0, "b")
	other.ring(t, 0, "c")
	hears(t, next)
	if pending(l) { // c was later, so b has been passed on
		t.Error("a listener of a heard b")
	}
}

func TestAllWhoShareABellHear(t *testing.T) {
	t.Parallel()
	dir := newFolder(t)
	s, other := newSet(t, dir, nil), newSet(t, dir, nil)
	sets := []*Listener{listen(t, s, "a"), listen(t, s, "a"), listen(t, s, sharing("a")), listen(t, other, "a")}
	ring(t, other, "a")
	for _, l := range sets {
		hears(t, l)
	}
}

func TestManyRingsAreKeptAsOne(t *testing.T) {
	t.Parallel()
	s := newSet(t, newFolder(t), nil)
	l := listen(t, s, "a")
	for range 5 {
		ring(t, s, "a")
		fence(t, s)
	}
	if !pending(l) || pending(l) {
		t.Error("five rings were not kept as exactly one")
	}
}

// The model says who must hear and who must not, for any history.
func TestListenersHearExactlyTheirBells(t *testing.T) {
	t.Parallel()
	names := []string{"a", sharing("a"), "b", "c"}
	s := newSet(t, newFolder(t), nil)
	rapid.Check(t, func(rt *rapid.T) {
		model := map[*Listener]map[string]bool{}
		defer func() {
			for l := range model {
				l.Close()
			}
		}()
		pick := func(rt *rapid.T) *Listener {
			var all []*Listener
			for l := range model {
				all = append(all, l)
			}
			if len(all) == 0 {
				rt.Skip("no listener")
			}
			return all[rapid.IntRange(0, len(all)-1).Draw(rt, "listener")]
		}
		some := rapid.SliceOf(rapid.SampledFrom(names))
		rt.Repeat(map[string]func(*rapid.T){
			"listen": func(rt *rapid.T) {
				chosen := some.Draw(rt, "names")
				l := listen(t, s, chosen...)
				model[l] = map[string]bool{}
				for _, name := range chosen {
					model[l][name] = true
				}
			},
			"add": func(rt *rapid.T) {
				l, chosen := pick(rt), some.Draw(rt, "names")
				if err := l.Add(chosen...); err != nil {
					rt.Fatal(err)
				}
				for _, name := range chosen {
					model[l][name] = true
				}
			},
			"remove": func(rt *rapid.T) {
				l, chosen := pick(rt), some.Draw(rt, "names")
				l.Remove(chosen...)
				for _, name := range chosen {
					delete(model[l], name)
				}
			},
			"close": func(rt *rapid.T) {
				l := pick(rt)
				l.Close()
				delete(model, l)
			},
			"ring": func(rt *rapid.T) {
				chosen := some.Draw(rt, "names")
				ring(t, s, chosen...)
				fence(t, s)
				var rung bellSet
				for _, name := range chosen {
					rung.add(Number(name))
				}
				for l, has := range model {
					want := false
					for name := range has {
						want = want || rung.has(Number(name))
					}
					if got := pending(l); got != want {
						rt.Fatalf("rang %q, listener of %v heard: %t", chosen, has, got)
					}
				}
			},
		})
	})
}
