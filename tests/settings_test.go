package weft_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weft"
)

// TestSettings sets variables, so it cannot run beside others.
func TestSettings(t *testing.T) {
	for _, test := range []struct{ name, value, want string }{
		{"WEFT_DURABILITY", "fast", "WEFT_DURABILITY"},
		{"WEFT_MAX_TASKS", "0", "WEFT_MAX_TASKS"},
		{"WEFT_MAX_MESSAGE_SIZE", "100", "from 16384 on"},
		{"WEFT_BUSY_TIMEOUT", "soon", "WEFT_BUSY_TIMEOUT"},
		{"WEFT_MANAGER_LIFETIME_TIMEOUT", "-1", "WEFT_MANAGER_LIFETIME_TIMEOUT"},
		{"WEFT_MANAGER_REUSE_ENABLED", "perhaps", "WEFT_MANAGER_REUSE_ENABLED"},
		{"WEFT_LOG_LEVEL", "loud", "WEFT_LOG_LEVEL"},
		{"WEFT_ENV_FILE", "/no/such/file", "WEFT_ENV_FILE"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv(test.name, test.value)
			if _, err := weft.Open(t.TempDir()); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("open: %v", err)
			}
		})
	}
}

// TestDurability is decided when the project is created, and by it from then
// on.
func TestDurability(t *testing.T) {
	root := t.TempDir()
	for _, value := range []string{"normal", "full"} {
		t.Setenv("WEFT_DURABILITY", value)
		p, err := weft.Open(root)
		if err != nil {
			t.Fatal(err)
		}
		p.Close()
		config, err := os.ReadFile(filepath.Join(root, ".weft", "config.json"))
		if err != nil || !strings.Contains(string(config), `"durability": "normal"`) {
			t.Errorf("settings are %s: %v", config, err)
		}
	}
}

// TestEnvFile reads settings from a file; the real environment wins.
func TestEnvFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "env")
	if err := os.WriteFile(file, []byte("# comment\n\nWEFT_MAX_MESSAGE_SIZE=16384\nWEFT_MAX_TASKS=none\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("WEFT_ENV_FILE", file)
	if _, err := weft.Open(t.TempDir()); err == nil || !strings.Contains(err.Error(), "WEFT_MAX_TASKS") {
		t.Errorf("the file was not read: %v", err)
	}
	t.Setenv("WEFT_MAX_TASKS", "2")
	p, err := weft.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if _, err := p.Queue("q").Write(t.Context(), strings.Repeat("x", 16385)); err == nil {
		t.Error("a message larger than the file allows was accepted")
	}
}

// TestConfig: each value of config.json is checked when it is read, and an error names
// the file and the field.
func TestConfig(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                    "", // what a crash may leave
		"\n":                                  "",
		"{}":                                  "",
		`{"max_tasks":1}`:                     "",
		`{"busy_timeout":"2m"}`:               "",
		`{"busy_timeout":1.5}`:                "",
		`{"autostart_tasks":false}`:           "",
		`{"max_tasks":0}`:                     "max_tasks: want a whole number from 1 on",
		`{"max_tasks":-5}`:                    "max_tasks: want a whole number from 1 on",
		`{"max_tasks":100001}`:                "max_tasks: want a whole number up to 100000",
		`{"max_tasks":1.5}`:                   "max_tasks: want a whole number, not number 1.5",
		`{"max_tasks":"x"}`:                   "max_tasks: want a whole number, not string",
		`{"max_message_size":-1}`:             "max_message_size: want a whole number from 16384 on",
		`{"max_message_size":2000000000}`:     "max_message_size: want a whole number up to 1000000000",
		`{"busy_timeout":-1}`:                 "busy_timeout: duration \"-1\"",
		`{"manager_lifetime_timeout":"soon"}`: "manager_lifetime_timeout: duration \"soon\"",
		`{"manager_reuse_enabled":1}`:         "manager_reuse_enabled: want true or false, not number",
		`{"redact_taskspec_fields":"x"}`:      "redact_taskspec_fields: want a list of texts, not string",
		`{"durability":"fast"}`:               "durability: \"fast\": want full or normal",
		`{"durability":1}`:                    "durability: want a text, not number",
		`{"log_level":"loud"}`:                "log_level: \"loud\": want debug, info, warn or error",
		`{"nosuch":1}`:                        "unknown field \"nosuch\"",
		`{} trailing`:                         "invalid character",
		`{"max_tasks":`:                       "unexpected end",
		`[]`:                                  "json: cannot unmarshal array",
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			if err := os.Mkdir(filepath.Join(root, ".weft"), 0o700); err != nil {
				t.Fatal(err)
			}
			config := filepath.Join(root, ".weft", "config.json")
			if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			p, err := weft.Open(root)
			if err == nil {
				p.Close()
			}
			if err != nil && want == "" || want != "" && (err == nil || !strings.Contains(err.Error(), config+": "+want)) {
				t.Errorf("open: %v, want %q", err, want)
			}
		})
	}
}
