package notify

import (
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Processes of different builds must agree on the channels.
func TestChannelNeverChanges(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]int{
		"":       64 + (0x811c9dc5^0x811c)%192, // the hash of the empty string
		"a":      64 + (0xe40c292c^0xe40c)%192, // a published vector
		"foobar": 64 + (0xbf9cf968^0xbf9c)%192, // another
	} {
		if got := Channel(name); got != want {
			t.Errorf("Number(%q) = %d, want %d", name, got, want)
		}
	}
}

func TestChannelIsFoldedFNV1a(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.String().Draw(t, "name")
		of, from := 192, 64
		if rapid.Bool().Draw(t, "own") {
			name, of, from = "weft."+name, 64, 0
		}
		h := fnv.New32a()
		h.Write([]byte(name))
		sum := h.Sum32()
		if got, want := Channel(name), from+int(sum^sum>>16)%of; got != want {
			t.Fatalf("Number(%q) = %d, want %d", name, got, want)
		}
	})
}

// TestChannelOfOwn checks that waiters for Weft's own queues are not woken by others.
func TestChannelOfOwn(t *testing.T) {
	t.Parallel()
	holders := make(map[int]string)
	for _, name := range []string{
		"weft.spawn.requests", "weft.spawn.waiting", "weft.manager.ctrl_in", "weft.manager.ctrl_out",
		"weft.log.tasks", "weft.state.services",
	} {
		channel := Channel(name)
		if other := holders[channel]; other != "" || channel >= 64 {
			t.Errorf("%s has channel %d, as %q does", name, channel, other)
		}
		holders[channel] = name
	}
}

func TestChannelSpreadsLikelyNames(t *testing.T) {
	t.Parallel()
	var load [Channels]int
	for i := range 16 * Channels {
		load[Channel(fmt.Sprintf("T%019d.outbox", int64(1790000000000000000)+int64(i)))]++
	}
	for channel, n := range load[64:] {
		if n < 5 || n > 50 { // 21 are the average; a bad hash leaves channels empty
			t.Errorf("channel %d has %d of %d names", channel, n, 16*Channels)
		}
	}
}

func TestOpenCreatesOnlyItsFolder(t *testing.T) {
	t.Parallel()
	dir := newFolder(t)
	s := newNotifier(t, dir, nil)
	newNotifier(t, dir, nil) // an existing folder is accepted
	info, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o700 {
		t.Errorf("folder has mode %o, want 700", got)
	}
	if names := entries(t, dir); len(names) != 0 {
		t.Errorf("Open has created %v", names)
	}
	if got := s.Mode(); got != "none" {
		t.Errorf("Mode before Listen = %q, want none", got)
	}
}

func TestOpenOutlivesChdir(t *testing.T) {
	base := t.TempDir()
	t.Chdir(base)
	s := newNotifier(t, "bells", nil)
	t.Chdir(t.TempDir())
	listen(t, s, "a")
	if got := entries(t, filepath.Join(base, "bells")); len(got) != 1 {
		t.Errorf("the folder holds %v, want one channel", got)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	file, link := filepath.Join(base, "file"), filepath.Join(base, "link")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(base, link); err != nil {
		t.Fatal(err)
	}
	for name, dir := range map[string]string{
		"a file":           file,
		"a symbolic link":  link,
		"a missing parent": filepath.Join(base, "no", "bells"),
	} {
		if s, err := Open(dir, nil); err == nil {
			s.Close()
			t.Errorf("Open of %s succeeded", name)
		}
	}
	if _, err := Open(filepath.Join(base, "no", "bells"), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open below a missing folder = %v, want fs.ErrNotExist", err)
	}
}

func TestCloseEndsEverything(t *testing.T) {
	t.Parallel()
	s := newNotifier(t, newFolder(t), nil)
	one, two := listen(t, s, "a"), listen(t, s)
	if got := s.Mode(); got != watcherName {
		t.Errorf("Mode = %q, want %s", got, watcherName)
	}
	notify(t, s, "a")
	awaitNotified(t, one)
	for range 2 {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	for _, l := range []*Listener{one, two} {
		if _, ok := <-l.C(); ok {
			t.Error("C gave a notification after Close, want it closed")
		}
		l.Close()
		l.Remove("a")
		if err := l.Add("b"); !errors.Is(err, ErrClosed) {
			t.Errorf("Add after Close = %v, want ErrClosed", err)
		}
	}
	if _, err := s.Listen("a"); !errors.Is(err, ErrClosed) {
		t.Errorf("Listen after Close = %v, want ErrClosed", err)
	}
	if err := s.Notify("a"); !errors.Is(err, ErrClosed) {
		t.Errorf("Notify after Close = %v, want ErrClosed", err)
	}
	if got := s.Mode(); got != "none" {
		t.Errorf("Mode after Close = %q, want none", got)
	}
}

func entries(t *testing.T, dir string) []string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range list {
		names = append(names, strings.ToLower(e.Name()))
	}
	return names
}
