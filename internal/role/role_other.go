//go:build !linux

package role

import "os"

// Take returns None: no process is executed again where tasks cannot run.
func Take() (Role, *os.File) { return None, nil }

// Extra returns nil likewise.
func Extra() *os.File { return nil }
