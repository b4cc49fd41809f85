//go:build !linux

package weft

import (
	"path/filepath"

	"weft/internal/notify"
)

// examineHost checks what the system offers to waiters. Tasks cannot run
// here.
func examineHost(dir string) []Finding {
	means, err := notify.Inspect(filepath.Join(dir, "bells"))
	if err != nil {
		return unknown("wake-ups", err)
	}
	return []Finding{
		fine("wake-ups", means),
		examineLimit("memory_mb", noEnforcement),
		examineLimit("cpu_percent", noEnforcement),
		examineLimit("max_fds", noEnforcement),
		examineLimit("max_connections", noEnforcement),
	}
}
