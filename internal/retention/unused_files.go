package retention

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"time"

	"weft/broker"
	"weft/internal/ledger"
	"weft/internal/project"
)

// outputs is the folder of the outputs and inputs of tasks.
type outputs struct {
	folder *project.Folder
	broker *broker.Broker
}

// openOutputs opens the folder. It returns nil if there is none.
func openOutputs(b *broker.Broker, dir string) (*outputs, error) {
	f, err := project.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	folder, err := f.Sub(ledger.OutputDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &outputs{folder, b}, nil
}

func (o *outputs) close() { o.folder.Close() }

const (
	// namesAtOnce is how many names of the folder are in memory at once.
	namesAtOnce = 1000
	// inputAge is how old a standard input must be before it goes although no
	// task names it: the command that it was given to may still be reading it.
	inputAge = 24 * time.Hour
)

// unused calls found for each file that is not needed, and counts what is not
// Weft's. It looks at the folder first and then into the store, because a task
// has a record before it has output.
func (o *outputs) unused(ctx context.Context, found func(fs.FileInfo) error) (unknown int, err error) {
	var inputs []fs.FileInfo
	err = o.each(func(info fs.FileInfo) error {
		attempt, isOutput := ledger.ParseOutputFile(info.Name())
		_, isInput := ledger.ParseInputFile(info.Name())
		switch {
		case !info.Mode().IsRegular() || !isInput && !isOutput:
			unknown++
		case isInput:
			inputs = append(inputs, info)
		default:
			return o.unusedOutput(ctx, attempt, info, found)
		}
		return nil
	})
	if err != nil {
		return unknown, err
	}
	return unknown, o.unusedInputs(ctx, inputs, found)
}

// each calls fn with each file of the folder.
func (o *outputs) each(fn func(fs.FileInfo) error) error {
	dir, err := o.folder.Dir()
	if err != nil {
		return err
	}
	defer dir.Close()
	for {
		entries, err := dir.ReadDir(namesAtOnce)
		if errors.Is(err, io.EOF) {
			return nil
		}
		for _, entry := range entries {
			info, failed := o.folder.Lstat(entry.Name())
			if errors.Is(failed, fs.ErrNotExist) {
				continue
			}
			if failed == nil {
				failed = fn(info)
			}
			if failed != nil {
				return failed
			}
		}
		if err != nil {
			return err
		}
	}
}

// unusedOutput calls found unless a reader may still want the file of an
// attempt.
func (o *outputs) unusedOutput(ctx context.Context, a ledger.Attempt, file fs.FileInfo, found func(fs.FileInfo) error) error {
	needed, err := broker.View(ctx, o.broker, a.Needed)
	if err != nil || needed {
		return err
	}
	return found(file)
}

// unusedInputs calls found for each input that is not needed.
func (o *outputs) unusedInputs(ctx context.Context, inputs []fs.FileInfo, found func(fs.FileInfo) error) error {
	uses, err := broker.View(ctx, o.broker, func(r broker.Reader) (map[string]ledger.InputUse, error) {
		uses := make(map[string]ledger.InputUse)
		for _, file := range inputs {
			name, _ := ledger.ParseInputFile(file.Name())
			uses[name] = ledger.InputUnknown
		}
		return uses, ledger.UseOfInputs(r, uses)
	})
	if err != nil {
		return err
	}
	for _, file := range inputs {
		name, _ := ledger.ParseInputFile(file.Name())
		use := uses[name]
		if use == ledger.InputUnused || use == ledger.InputUnknown && time.Since(file.ModTime()) > inputAge {
			if err := found(file); err != nil {
				return err
			}
		}
	}
	return nil
}
