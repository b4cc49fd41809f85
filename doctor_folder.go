package weft

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"weft/broker/sqlite"
	"weft/internal/disk"
)

// examinePlace looks at the folder of a project and what it is on.
func examinePlace(dir string) []Finding {
	return []Finding{examineModes(dir), examineFilesystem(dir), examineDisk(dir)}
}

// examineModes checks which users can access the project.
func examineModes(dir string) Finding {
	const check = "folder"
	info, err := os.Lstat(dir)
	if err != nil {
		return problem(check, err.Error(), "")
	}
	if !info.IsDir() {
		return problem(check, dir+" is not a folder", "move it away")
	}
	if runtime.GOOS == "windows" {
		return fine(check, dir) // modes say nothing there
	}
	if loose(info) {
		return problem(check, fmt.Sprintf("%s has mode %04o: others can read the environments and outputs of tasks", dir, info.Mode().Perm()),
			"chmod 700 "+dir)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return problem(check, err.Error(), "")
	}
	// Without a way into the folder no other user can open a file in it, but the
	// file may be linked, or moved, to a folder where another user can.
	i := slices.IndexFunc(entries, func(e fs.DirEntry) bool {
		info, err := e.Info()
		return err == nil && info.Mode().Type() != fs.ModeSymlink && loose(info)
	})
	if i >= 0 {
		path := filepath.Join(dir, entries[i].Name())
		return problem(check, path+" is open to others", "chmod go= "+path)
	}
	if !ownedByUs(info) {
		return note(check, dir+" belongs to another user, who cannot use what is made here by this one", "run weft as its owner")
	}
	return fine(check, dir+", for its owner only")
}

// loose reports whether others than the owner have any access.
func loose(info fs.FileInfo) bool { return info.Mode().Perm()&0o077 != 0 }

// examineFilesystem looks at whether processes can share a store in dir.
func examineFilesystem(dir string) Finding {
	const check = "file system"
	name, err := sqlite.Filesystem(dir)
	if err != nil {
		return problem(check, err.Error(), "put the project on a local disk")
	}
	locks := "open file description locks"
	if !sqlite.SafeLocks() {
		locks = "POSIX locks, which are lost when anything else in a process opens and closes the store's files"
	}
	found := fmt.Sprintf("%s; %s", name, locks)
	if name == "tmpfs" {
		return note(check, found, "it is in memory: nothing survives a restart of the machine")
	}
	return fine(check, found)
}

// examineDisk looks at the room there is.
func examineDisk(dir string) Finding {
	const check = "disk"
	space, known := disk.SpaceIn(dir)
	switch {
	case !known:
		return note(check, "unknown", "")
	case space.Free < lowDisk:
		return problem(check, megabytes(space.Free)+" free: nearly full", "make room in "+filepath.Dir(dir))
	}
	return fine(check, megabytes(space.Free)+" free")
}
