package upkeep

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"weft/broker/sqlite"
	"weft/internal/disk"
	"weft/internal/project"
)

// examineModes checks which users can access the project.
func examineModes(_ context.Context, x *examination) ([]Finding, error) {
	info, err := os.Lstat(x.Dir)
	switch {
	case err != nil:
		return nil, err
	case !info.IsDir():
		return problem(x.Dir+" is not a folder", "move it away")
	case runtime.GOOS == "windows":
		return fine(x.Dir) // modes say nothing there
	case loose(info):
		return problem(fmt.Sprintf("%s has mode %04o: others can read the environments and outputs of tasks", x.Dir, info.Mode().Perm()),
			"chmod 700 "+x.Dir)
	}
	entries, err := os.ReadDir(x.Dir)
	if err != nil {
		return nil, err
	}
	// Without a way into the folder no other user can open a file in it, but the
	// file may be linked, or moved, to a folder where another user can.
	i := slices.IndexFunc(entries, func(e fs.DirEntry) bool {
		info, err := e.Info()
		return err == nil && info.Mode().Type() != fs.ModeSymlink && loose(info)
	})
	if i >= 0 {
		path := filepath.Join(x.Dir, entries[i].Name())
		return problem(path+" is open to others", "chmod go= "+path)
	}
	if !project.Ours(info) {
		return note(x.Dir+" belongs to another user, who cannot use what is made here by this one", "run weft as its owner")
	}
	return fine(x.Dir + ", for its owner only")
}

// loose reports whether others than the owner have any access.
func loose(info fs.FileInfo) bool { return info.Mode().Perm()&0o077 != 0 }

// examineFilesystem looks at whether processes can share a store there.
func examineFilesystem(_ context.Context, x *examination) ([]Finding, error) {
	name, err := sqlite.Filesystem(x.Dir)
	if err != nil {
		return problem(err.Error(), "put the project on a local disk")
	}
	locks := "open file description locks"
	if !sqlite.SafeLocks() {
		locks = "POSIX locks, which are lost when anything else in a process opens and closes the store's files"
	}
	found := fmt.Sprintf("%s; %s", name, locks)
	if name == "tmpfs" {
		return note(found, "it is in memory: nothing survives a restart of the machine")
	}
	return fine(found)
}

// lowDisk is the free space, in bytes, below which the store may soon be unable
// to record anything: two messages of the largest size with their indexes and
// the log of the store.
const lowDisk = 64 << 20

// examineDisk looks at the room there is.
func examineDisk(_ context.Context, x *examination) ([]Finding, error) {
	space, known := disk.SpaceIn(x.Dir)
	switch {
	case !known:
		return note("unknown", "")
	case space.Free < lowDisk:
		return problem("disk nearly full: "+megabytes(space.Free)+" free", "make room in "+filepath.Dir(x.Dir))
	}
	return fine(megabytes(space.Free) + " free")
}
