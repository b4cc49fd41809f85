package settings

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// load reads settings from a folder with this config.json and these variables.
func load(t *testing.T, config string, variables map[string]string) (Settings, error) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), ".weft")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, configName), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(dir, false, func(name string) string { return variables[name] })
}

// TestRetention reads what is kept from the file, and from variables, which override it.
func TestRetention(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for name, test := range map[string]struct {
		config    string
		variables map[string]string
		want      Settings // of which the bounds count
	}{
		"nothing": {"", nil, Settings{}},
		"numbers": {
			`{"retention_age": 3600, "retention_tasks": 500, "retention_output": 1000, "retention_keys": 1.5}`, nil,
			Settings{KeepAge: Span(time.Hour), KeepTasks: 500, KeepOutput: 1000, KeepKeys: Span(1500 * time.Millisecond)},
		},
		"texts": {
			`{"retention_age": "3d", "retention_tasks": "500", "retention_output": "2GB", "retention_keys": "1w"}`, nil,
			Settings{KeepAge: Span(3 * day), KeepTasks: 500, KeepOutput: 2e9, KeepKeys: Span(7 * day)},
		},
		"never": {
			`{"retention_age": "never", "retention_tasks": "never", "retention_output": "never", "retention_keys": "Never"}`, nil,
			Settings{KeepAge: -1, KeepTasks: -1, KeepOutput: -1, KeepKeys: -1},
		},
		"variables": {
			`{"retention_age": "never", "retention_tasks": 5, "retention_output": "1MB"}`,
			map[string]string{"WEFT_RETENTION_AGE": "12h", "WEFT_RETENTION_TASKS": "never", "WEFT_RETENTION_KEYS": "60"},
			Settings{KeepAge: Span(12 * time.Hour), KeepTasks: -1, KeepOutput: 1e6, KeepKeys: Span(time.Minute)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := load(t, test.config, test.variables)
			if err != nil {
				t.Fatal(err)
			}
			got := Settings{KeepAge: s.KeepAge, KeepTasks: s.KeepTasks, KeepOutput: s.KeepOutput, KeepKeys: s.KeepKeys}
			if want := test.want; got.KeepAge != want.KeepAge || got.KeepTasks != want.KeepTasks || got.KeepOutput != want.KeepOutput || got.KeepKeys != want.KeepKeys {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

// TestRefused names the key or the variable of a value that makes no sense.
func TestRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		config    string
		variables map[string]string
		want      string
	}{
		"unknown":        {`{"retention": 1}`, nil, `unknown field "retention"`},
		"no duration":    {`{"retention_age": "soon"}`, nil, `retention_age: "soon": want a duration (12h, 7d), or never`},
		"none at all":    {`{"retention_tasks": 0}`, nil, `retention_tasks: "0": want a whole number from 1 on, or never`},
		"a part":         {`{"retention_tasks": 1.5}`, nil, "retention_tasks:"},
		"no size":        {"", map[string]string{"WEFT_RETENTION_OUTPUT": "much"}, `WEFT_RETENTION_OUTPUT: "much": want a size (500MB, 10GB), or never`},
		"negative":       {"", map[string]string{"WEFT_RETENTION_KEYS": "-1"}, `WEFT_RETENTION_KEYS: "-1": want a duration`},
		"few tasks":      {`{"max_tasks": 0}`, nil, "max_tasks: want a whole number from 1 on"},
		"no flag":        {"", map[string]string{"WEFT_AUTOSTART_TASKS": "maybe"}, `WEFT_AUTOSTART_TASKS="maybe": want true or false`},
		"kind of number": {`{"max_tasks": "many"}`, nil, "max_tasks: want a whole number, not string"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := load(t, test.config, test.variables)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}
