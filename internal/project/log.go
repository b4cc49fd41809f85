package project

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// LogFolder holds what managers log, and what they write when they crash.
	LogFolder = "logs"

	logName   = "manager.log"
	crashName = "crash.log"
	// A log that has grown to logBytes is put aside, and of those logKept are kept.
	logBytes = 10 << 20
	logKept  = 5

	// The names of logs put aside sort by their age, between logBefore and logAfter.
	logBefore = "manager-"
	logAfter  = ".log"
	logTime   = "20060102T150405.000000000"
)

// CrashLog is the path of what managers write when they crash, below a project's
// folder.
func CrashLog(dir string) string { return filepath.Join(dir, LogFolder, crashName) }

// OpenCrashLog opens it for appending, and makes what is missing.
func OpenCrashLog(dir string) (file *os.File, err error) {
	err = logs(dir, func(f *Folder) error {
		file, err = openOrCreate(f, crashName, os.O_WRONLY|os.O_APPEND)
		return err
	})
	return file, err
}

// logs calls fn with the folder of the logs, which is made if it is missing.
func logs(dir string, fn func(*Folder) error) error {
	f, err := Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	if f, err = f.MakeSub(LogFolder); err != nil {
		return err
	}
	defer f.Close()
	return fn(f)
}

// A Log is the log of a project's managers. It is a file that grows and is put
// aside when it is large. Several processes may write it at once, each line with
// one Write: no line is lost, and none torn. It is safe for concurrent use.
type Log struct {
	dir  string // the project's folder
	most int64  // of a log

	mu   sync.Mutex
	file *os.File // nil once closed
}

// OpenLog opens the log of the project whose folder is dir. The caller closes it.
func OpenLog(dir string) (*Log, error) {
	l := &Log{dir: dir, most: logBytes}
	return l, logs(dir, l.open)
}

// open opens the file in the place of the one that is open.
func (l *Log) open(f *Folder) error {
	file, err := openOrCreate(f, logName, os.O_WRONLY|os.O_APPEND)
	if err != nil {
		return err
	}
	if l.file != nil {
		l.file.Close()
	}
	l.file = file
	return nil
}

// Write appends a line.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return 0, fs.ErrClosed
	}
	// A log that cannot be put aside, or made again, is written all the same.
	_ = l.follow(int64(len(p)))
	return l.file.Write(p)
}

// follow sees to it that the file that is open is the log, and has room for more:
// another process may have put it aside, or somebody may have removed it.
func (l *Log) follow(more int64) error {
	own, err := l.file.Stat()
	if err != nil {
		return err
	}
	now, err := os.Lstat(filepath.Join(l.dir, LogFolder, logName))
	current := err == nil && os.SameFile(own, now)
	if current && own.Size()+more <= l.most {
		return nil
	}
	return logs(l.dir, func(f *Folder) error {
		if current {
			if err := f.root.Rename(logName, logBefore+time.Now().UTC().Format(logTime)+logAfter); err != nil {
				return err
			}
			if err := removeOldLogs(f); err != nil {
				return err
			}
		}
		return l.open(f)
	})
}

// removeOldLogs leaves as many of the logs put aside as are to be kept.
func removeOldLogs(f *Folder) error {
	entries, err := f.Entries()
	if err != nil {
		return err
	}
	var names []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), logBefore) && strings.HasSuffix(e.Name(), logAfter) {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	for _, name := range names[:max(0, len(names)-logKept)] {
		if err := f.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Close closes the log.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file = nil
	return err
}
