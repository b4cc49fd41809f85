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
		c, err := weft.Open(root)
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
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
	c, err := weft.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Queue("q").Write(t.Context(), strings.Repeat("x", 16385)); err == nil {
		t.Error("a message larger than the file allows was accepted")
	}
}
