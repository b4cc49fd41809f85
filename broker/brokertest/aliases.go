package brokertest

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"weft/broker"
)

var aliasCases = []testCase{
	{"add, resolve, list, remove", func(t *testing.T, s *store) {
		s.write(t, "mail.out", "x")
		s.alias(t, "mail", "mail.out")
		s.alias(t, "post", "mail.out")
		s.alias(t, "none", "not.there.yet")
		s.aliased(t, broker.Alias{Name: "mail", Queue: "mail.out"}, broker.Alias{Name: "none", Queue: "not.there.yet"}, broker.Alias{Name: "post", Queue: "mail.out"})
		of, err := s.Aliases().List(t.Context(), "mail.out")
		must(t, err)
		if diff := cmp.Diff([]broker.Alias{{Name: "mail", Queue: "mail.out"}, {Name: "post", Queue: "mail.out"}}, of); diff != "" {
			t.Errorf("aliases of a queue (-want +got):\n%s", diff)
		}
		s.reopen(t)
		for name, want := range map[string]string{
			"@mail": "mail.out", "@none": "not.there.yet", "mail": "mail", "mail.out": "mail.out", "": "",
		} {
			if got, err := s.Aliases().Resolve(t.Context(), name); err != nil || got != want {
				t.Errorf("resolve %q: %q, %v, want %q", name, got, err, want)
			}
		}
		for _, name := range []string{"@", "@@mail", "@mail.out", "@MAIL", "@mail\n"} {
			_, err := s.Aliases().Resolve(t.Context(), name)
			wants(t, "resolve "+name, err, broker.ErrNotFound)
		}
		must(t, s.Aliases().Remove(t.Context(), "mail"))
		wants(t, "second removal", s.Aliases().Remove(t.Context(), "mail"), broker.ErrNotFound)
		_, err = s.Aliases().Resolve(t.Context(), "@mail")
		wants(t, "resolve what is removed", err, broker.ErrNotFound)
		s.holds(t, "mail.out", "x")
	}},
	{"refused", func(t *testing.T, s *store) {
		s.alias(t, "a", "q")
		for _, tt := range []struct {
			name, alias, queue string
			want               error
		}{
			{"there is one", "a", "other", broker.ErrExists},
			{"there is the same", "a", "q", broker.ErrExists},
			{"of itself", "b", "b", broker.ErrAlias},
			{"of an alias", "b", "a", broker.ErrAlias},
			{"of the name that another stands for", "q", "z", broker.ErrAlias},
			{"circle", "q", "a", broker.ErrAlias},
			{"bad alias", "@b", "z", broker.ErrAlias},
			{"empty alias", "", "z", broker.ErrAlias},
			{"long alias", strings.Repeat("x", broker.MaxNameBytes+1), "z", broker.ErrAlias},
			{"alias by its mark", "b", "@a", broker.ErrName},
			{"bad queue", "b", "a b", broker.ErrName},
		} {
			wants(t, tt.name, s.Aliases().Add(t.Context(), tt.alias, tt.queue), tt.want)
		}
		s.aliased(t, broker.Alias{Name: "a", Queue: "q"})
	}},
	{"an alias and a queue share a name", func(t *testing.T, s *store) {
		s.write(t, "a", "in a")
		s.write(t, "q", "in q")
		s.alias(t, "a", "q")
		s.holds(t, "a", "in a")
		if q, err := s.Aliases().Resolve(t.Context(), "@a"); err != nil || q != "q" {
			t.Errorf("@a is %q, %v", q, err)
		}
		s.lists(t, "a", "q")
	}},
	{"races make no chains", func(t *testing.T, s *store) {
		// a → b and b → c exclude each other, whoever comes first.
		other := s.handle(t)
		defer other.Close()
		for range 20 {
			first := start(func() error { return s.Aliases().Add(context.Background(), "a", "b") })
			second := start(func() error { return other.Aliases().Add(context.Background(), "b", "c") })
			ends := []outcome{soon(t, "the end of an addition", first), soon(t, "the end of an addition", second)}
			refused := 0
			for _, o := range ends {
				if errors.Is(o.err, broker.ErrAlias) {
					refused++
				} else {
					must(t, o.err)
				}
			}
			all := s.aliases(t)
			if refused != 1 || len(all) != 1 {
				t.Fatalf("%d of 2 were refused, and there are %v", refused, all)
			}
			must(t, s.Aliases().Remove(t.Context(), all[0].Name))
		}
	}},
	{"many", func(t *testing.T, s *store) {
		for range 2 {
			for _, name := range numbers(50) {
				s.alias(t, name, "q")
			}
			if _, err := s.Rename(t.Context(), "q", "r"); err == nil {
				t.Error("renamed a queue that does not exist")
			}
			for _, a := range s.aliases(t) {
				must(t, s.Aliases().Remove(t.Context(), a.Name))
			}
		}
		s.aliased(t)
	}},
}

// alias adds an alias.
func (s *store) alias(t testing.TB, name, queue string) {
	t.Helper()
	must(t, s.Aliases().Add(context.Background(), name, queue))
}

func (s *store) aliases(t testing.TB) []broker.Alias {
	t.Helper()
	all, err := s.Aliases().List(context.Background(), "")
	must(t, err)
	return all
}

// aliased fails unless the aliases are just these, by name.
func (s *store) aliased(t testing.TB, want ...broker.Alias) {
	t.Helper()
	if diff := cmp.Diff(want, s.aliases(t), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("aliases (-want +got):\n%s", diff)
	}
}
