//go:build linux

package weft_test

import (
	"log/slog"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"weft"
)

// Whatever a variable can set, Go code can: each row of the page names the two, and an
// option that makes no sense is an error that names the variable.
func TestOptionsAreComplete(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("(?m)^\\| `[a-z_]+` \\| `(WEFT_[A-Z_]+)` \\| `([A-Za-z.]+)` ").FindAllStringSubmatch(string(page), -1)
	if len(rows) != 14 {
		t.Errorf("the page has %d settings, want 14", len(rows))
	}
	for _, row := range rows {
		of := reflect.TypeFor[weft.Options]()
		for name := range strings.SplitSeq(row[2], ".") {
			f, ok := of.FieldByName(name)
			if !ok {
				t.Errorf("Options has no field %s", row[2])
				break
			}
			of = f.Type
		}
	}
	for variable, bad := range map[string]weft.Options{
		"WEFT_MAX_TASKS": {MaxTasks: -1}, "WEFT_BUSY_TIMEOUT": {BusyTimeout: -1}, "WEFT_MAX_MESSAGE_SIZE": {MaxMessageSize: 1},
		"WEFT_DURABILITY": {Durability: "some"},
	} {
		bad.AcceptPOSIXLocks = true
		if _, err := weft.Open(t.TempDir(), bad); err == nil || !strings.Contains(err.Error(), variable) {
			t.Errorf("%s: got %v", variable, err)
		}
	}
}

// Options win over the environment, and a manager that is started has them too.
func TestOptions(t *testing.T) {
	t.Setenv("WEFT_MAX_TASKS", "7")
	t.Setenv("WEFT_MANAGER_LIFETIME_TIMEOUT", "5")
	dir := t.TempDir()
	p, err := weft.Open(dir, weft.Options{
		Durability: "normal", MaxTasks: 3, ManagerLifetime: 90 * time.Second, ManagerReuse: new(false), Autostart: new(false),
		BusyTimeout: time.Minute, MaxMessageSize: 20_000, Redact: []string{"spec.args", "metadata"}, LogLevel: slog.LevelDebug,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	m := p.Manager()
	if m.Lifetime() != 90*time.Second || !m.Once() || m.LogLevel() != slog.LevelDebug {
		t.Errorf("got a lifetime of %v, once %t, level %v", m.Lifetime(), m.Once(), m.LogLevel())
	}
	if _, err := p.Queue("jobs").Write(t.Context(), strings.Repeat("x", 20_001)); err == nil {
		t.Error("a message may be longer than the options say")
	}
	config, err := os.ReadFile(dir + "/.weft/config.json")
	if err != nil || !strings.Contains(string(config), `"normal"`) {
		t.Errorf("got %s, %v", config, err)
	}
	started, err := weft.Open(dir, weft.Options{MaxTasks: 3})
	if err != nil {
		t.Fatal(err)
	}
	defer started.Close()
	if err := started.Manager().Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, all, err := started.Manager().Slots(t.Context()); all != 3 || err != nil {
		t.Errorf("the manager has %d slots, %v, want 3", all, err)
	}
	if _, err := started.Manager().Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	forever, err := weft.Open(dir, weft.Options{ManagerLifetime: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer forever.Close()
	if forever.Manager().Lifetime() != 0 {
		t.Errorf("got a lifetime of %v", forever.Manager().Lifetime())
	}
}
