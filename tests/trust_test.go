package weft_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"weft"
	"weft/internal/ledger"
)

// TestTrust: who makes a project trusts it, whoever else comes has to say so, and
// trust ends where another store lies in the same place.
func TestTrust(t *testing.T) {
	state := t.TempDir()
	t.Setenv("XDG_STATE_HOME", state)
	dir := t.TempDir()
	trusted := func(want bool) {
		t.Helper()
		p, err := weft.Open(dir, weft.Options{AcceptPOSIXLocks: true})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		s, err := p.TrustStatus(t.Context())
		if err != nil || s.Trusted != want {
			t.Errorf("trusted: %+v, %v; want %v", s, err, want)
		}
	}
	change := func(change func(p *weft.Project) error) {
		t.Helper()
		p, err := weft.Open(dir, weft.Options{AcceptPOSIXLocks: true})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		if err := change(p); err != nil {
			t.Fatal(err)
		}
	}
	// Many make it at once: all of them have made it.
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			p, err := weft.Open(dir, weft.Options{AcceptPOSIXLocks: true})
			if err != nil {
				t.Error(err)
				return
			}
			p.Close()
		})
	}
	group.Wait()
	trusted(true)
	change(func(p *weft.Project) error { return p.Distrust(t.Context()) })
	trusted(false)
	change(func(p *weft.Project) error { return p.Trust(t.Context()) })
	trusted(true)
	change(func(p *weft.Project) error { return p.Distrust(t.Context()) })
	p, err := weft.Open(dir, weft.Options{AcceptPOSIXLocks: true, Trusted: true}) // says so
	if err != nil {
		t.Fatal(err)
	}
	p.Close()
	trusted(true)

	// What is damaged, or somebody's link, says nothing.
	files, err := filepath.Glob(filepath.Join(state, "weft", "*.json"))
	if err != nil || len(files) != 1 {
		t.Fatalf("state files %v, %v", files, err)
	}
	for _, text := range []string{"", "{", `{"path":"/elsewhere","store":"x","trusted":true,"since":"0"}`} {
		if err := os.WriteFile(files[0], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		trusted(false)
	}
	change(func(p *weft.Project) error { return p.Trust(t.Context()) })
	if err := os.Rename(files[0], files[0]+"x"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(files[0]+"x", files[0]); err == nil {
		trusted(false)
		change(func(p *weft.Project) error { return p.Trust(t.Context()) })
	}
	trusted(true)
	wantPrivate(t, filepath.Join(state, "weft"))

	// Another store, in the same place.
	if err := os.RemoveAll(filepath.Join(dir, ledger.Dir)); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(dir, ledger.Dir, "autostart")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "web.json"), []byte(`{"name":"web","target":{"type":"task","name":"web"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	trusted(false)
	change(func(p *weft.Project) error {
		s, err := p.TrustStatus(t.Context())
		if want := "project is not trusted: 1 service and 0 waiting tasks of it are not started"; s.String() != want {
			t.Errorf("it says %q, want %q", s, want)
		}
		services, serviceErr := p.Services(t.Context())
		if serviceErr != nil || len(services) != 1 || !strings.Contains(services[0].Problem, "not trusted") {
			t.Errorf("services %+v, %v", services, serviceErr)
		}
		return err
	})
}
