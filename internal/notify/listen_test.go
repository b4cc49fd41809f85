package notify

import (
	"testing"

	"pgregory.net/rapid"
)

func TestAnotherProcessNotifies(t *testing.T) {
	t.Parallel()
	dir := newFolder(t)
	l := listen(t, newNotifier(t, dir, nil), "a")
	other := startProcess(t, dir)
	for range 20 {
		other.notify(t, 0, "a")
		awaitNotified(t, l)
	}
}

func TestListenersOfASharedChannel(t *testing.T) {
	t.Parallel()
	dir := newFolder(t)
	s, other := newNotifier(t, dir, nil), newNotifier(t, dir, nil)
	all := []*Listener{listen(t, s, "a"), listen(t, s, "a"), listen(t, s, sharing("a")), listen(t, other, "a")}
	for range 10 { // from the second time on the pipe is not empty
		notify(t, other, "a")
		for _, l := range all {
			awaitNotified(t, l)
		}
	}
}

func TestManyNotificationsAreKeptAsOne(t *testing.T) {
	t.Parallel()
	s := newNotifier(t, newFolder(t), nil)
	l, witness := listen(t, s, "a"), listen(t, s, "a")
	for range 5 {
		notify(t, s, "a")
		passed(t, witness)
	}
	if !pending(l) || pending(l) {
		t.Error("five notifications were not kept as exactly one")
	}
}

// The model says which listeners must be notified and which must not, for any history.
func TestListenersReceiveExactlyTheirChannels(t *testing.T) {
	t.Parallel()
	names := []string{"a", sharing("a"), "b", "c"}
	s := newNotifier(t, newFolder(t), nil)
	witness := listen(t, s, names...)
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
			"notify": func(rt *rapid.T) {
				notified := rapid.SampledFrom(names).Draw(rt, "name")
				notify(t, s, notified)
				passed(t, witness)
				for l, has := range model {
					want := false
					for name := range has {
						want = want || Channel(name) == Channel(notified)
					}
					if got := pending(l); got != want {
						rt.Fatalf("notified %q, listener of %v received: %t", notified, has, got)
					}
				}
			},
		})
	})
}
