package sqlite

import (
	"context"
	"errors"
	"slices"
	"testing"

	"weft/broker"
)

// FuzzAliases does a sequence of additions, removals and renames: whatever it
// is, an alias leads to a queue and never to an alias, and resolving takes
// nothing but a mark and the name of an alias for one. Each two bytes are an
// action on two of five names.
func FuzzAliases(f *testing.F) {
	for _, actions := range []string{
		"", "\x00\x01", "\x01\x12\x01\x23", "\x01\x23\x01\x12", "\x01\x01\x01\x10", "\x01\x01\x02\x10\x01\x12", "\x01\x04\x03\x41\x01\x12",
		"\x01\x01\x01\x21\x03\x13\x02\x00", "\x03\x12\x03\x21\x03\x12",
	} {
		f.Add([]byte(actions), "@a")
	}
	for _, name := range []string{"", "@", "a", "@@a", "@a ", " @a", "@A", "a@", "@\xff", "@a\x00", "＠a"} {
		f.Add([]byte("\x01\x01"), name)
	}
	b, err := Open(f.TempDir(), Options{Durability: Normal})
	must(f, err)
	f.Cleanup(func() { must(f, b.Close()) })
	f.Fuzz(func(t *testing.T, actions []byte, name string) {
		ctx := t.Context()
		defer clearAliases(t, b)
		for pair := range slices.Chunk(actions[:min(len(actions), 60)], 2) {
			if len(pair) < 2 {
				break
			}
			from, to := letters[pair[1]>>4%5], letters[pair[1]&15%5]
			var err error
			switch pair[0] % 4 {
			case 0, 1:
				err = b.Aliases().Add(ctx, from, to)
			case 2:
				err = b.Aliases().Remove(ctx, from)
			default:
				if _, err := b.Queue(from).Write(ctx, "x"); err != nil {
					t.Fatal(err)
				}
				if _, err = b.Rename(ctx, from, to); err == nil {
					_, err = b.Queue(to).Read(ctx)
				} else {
					_, err2 := b.Queue(from).Delete(ctx, broker.Select{})
					err = errors.Join(err, err2)
				}
			}
			for _, known := range []error{broker.ErrAlias, broker.ErrExists, broker.ErrNotFound, broker.ErrSameQueue} {
				if errors.Is(err, known) {
					err = nil
				}
			}
			must(t, err)
		}
		all, err := b.Aliases().List(ctx, "")
		must(t, err)
		meant := name // what resolving must give
		isAlias := false
		for _, a := range all {
			if slices.ContainsFunc(all, func(other broker.Alias) bool { return other.Name == a.Queue }) {
				t.Errorf("alias %q leads to the alias %q", a.Name, a.Queue)
			}
			if name == "@"+a.Name {
				meant, isAlias = a.Queue, true
			}
		}
		got, err := b.Aliases().Resolve(ctx, name)
		if len(name) > 0 && name[0] == '@' && !isAlias {
			if !errors.Is(err, broker.ErrNotFound) {
				t.Errorf("resolve %q: %q, %v, want %v", name, got, err, broker.ErrNotFound)
			}
		} else if err != nil || got != meant {
			t.Errorf("resolve %q: %q, %v, want %q", name, got, err, meant)
		}
	})
}

var letters = [5]string{"a", "b", "c", "d", "e"}

func clearAliases(t *testing.T, b *broker.Broker) {
	all, err := b.Aliases().List(context.Background(), "")
	must(t, err)
	for _, a := range all {
		must(t, b.Aliases().Remove(context.Background(), a.Name))
	}
	_, err = b.Queues(broker.Pattern{}).Delete(context.Background())
	must(t, err)
}
