package function

import (
	"errors"
	"fmt"
	"os"
)

// A Stamp identifies one state of a file, without reading it. The zero value stands for no
// file.
type Stamp struct {
	Size     int64  `json:"size"`
	Modified int64  `json:"modified"` // nanoseconds since 1970
	Inode    uint64 `json:"inode,omitempty"`
}

// errNoFile means that the path of a program is not a file.
var errNoFile = errors.New("not a file")

// StampOf returns the stamp of the file at path. The error wraps
// [io/fs.ErrNotExist] if there is none.
func StampOf(path string) (Stamp, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Stamp{}, err
	}
	if !info.Mode().IsRegular() {
		return Stamp{}, fmt.Errorf("%s: %w", path, errNoFile)
	}
	return Stamp{Size: info.Size(), Modified: info.ModTime().UnixNano(), Inode: inode(info)}, nil
}
