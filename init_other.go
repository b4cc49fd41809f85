//go:build !linux

package weft

import "os"

func selfPath() (string, error) { return os.Executable() }
