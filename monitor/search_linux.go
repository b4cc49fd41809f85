package monitor

import (
	"cmp"
	"maps"
	"os"
	"slices"

	"weft/internal/proc"
)

// maxRounds bounds how often a scan tries again because processes start, end or are in an
// exec. On a quiet machine it never has to. Each try takes some 20 µs, so this gives a
// process 20 ms to complete an exec.
const maxRounds = 1000

// A search finds the members of a tree and keeps what it has learned from one scan to the
// next.
type search struct {
	tree  Tree
	self  int
	known map[proc.Identity]bool // members that may still run: they remain members, whatever they do
	has   map[proc.Identity]bool // whether a process has the cookie, if that is certain
}

func newSearch(t Tree) *search {
	return &search{tree: t, self: os.Getpid(), known: map[proc.Identity]bool{}, has: map[proc.Identity]bool{}}
}

// scan goes through all processes and calls found once for each running member, as soon as
// it is known to be one. It returns when no process has started since the last one was
// judged. A process about which the last try is not certain counts as no member.
func (s *search) scan(found func(member)) error {
	boot, err := proc.Boot()
	if err != nil {
		return err
	}
	if s.tree.First.PID != 0 && s.tree.First.Boot != boot {
		return nil
	}
	var r processTable
	candidates, err := r.list()
	if err != nil {
		return err
	}
	seen := make(map[proc.Identity]bool)
	for range maxRounds {
		unsure := false
		var markErr error
		pids := s.tree.pick(r.all, candidates, s.self, func(stat proc.Stat) bool {
			id := proc.Identity{PID: stat.PID, Ticks: stat.Ticks, Boot: boot}
			marked, sure, err := s.marked(id, stat)
			unsure = unsure || !sure
			markErr = cmp.Or(markErr, err)
			return marked
		}, func(stat proc.Stat) bool { return bears(stat.PID, s.tree.Foreign) })
		for _, pid := range pids {
			stat := r.all[pid]
			id := proc.Identity{PID: pid, Ticks: stat.Ticks, Boot: boot}
			if !stat.Ended() && !seen[id] {
				seen[id] = true
				found(member{Identity: id, stopped: stat.State == 'T'})
			}
		}
		if markErr != nil {
			return markErr
		}
		if candidates, err = r.advance(); err != nil {
			return err
		}
		if unsure {
			// Its children may have been judged by it.
			candidates = slices.Collect(maps.Keys(r.all))
		}
		if len(candidates) == 0 {
			return nil
		}
	}
	return nil
}

// marked reports whether a process is a member by its own marks, and whether that is
// certain.
func (s *search) marked(id proc.Identity, stat proc.Stat) (marked, sure bool, err error) {
	if s.known[id] {
		return true, true, nil
	}
	if len(s.tree.Cookie) == 0 || stat.Ended() {
		return false, true, nil
	}
	if has, ok := s.has[id]; ok {
		return has, true, nil
	}
	has, sure, err := hasCookie(id.PID, s.tree.Cookie)
	if sure {
		s.has[id] = has
	}
	return has, sure, err
}
