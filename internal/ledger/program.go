package ledger

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"weft/broker"
	"weft/internal/function"
	"weft/taskspec"
)

// The kinds of the records of programs, whose keys are those of [ProgramKey], and of their
// functions, whose keys are their names.
const (
	programKind  = "host"
	functionKind = "function"
)

// Program is a program that has registered functions, as of its last description.
type Program struct {
	Path  string         `json:"path"` // of the executable
	Stamp function.Stamp `json:"stamp"`
	Build string         `json:"build"`
	// Functions are the names of the functions that are called in this program, sorted. If
	// two programs register the same name, the later one has it.
	Functions []string `json:"functions"`
	// Digest is the digest of all functions that it registers.
	Digest string `json:"digest"`
	Noted  int64  `json:"noted_at"` // nanoseconds since 1970
}

// rawProgram is a Program in JSON: its path may hold any bytes.
type rawProgram struct {
	*plainProgram
	Path taskspec.RawString `json:"path"`
}

type plainProgram Program

// MarshalJSON writes the program.
func (p *Program) MarshalJSON() ([]byte, error) {
	return json.Marshal(rawProgram{(*plainProgram)(p), taskspec.RawString(p.Path)})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (p *Program) UnmarshalJSON(data []byte) error {
	v := rawProgram{plainProgram: (*plainProgram)(p)}
	err := json.Unmarshal(data, &v)
	p.Path = string(v.Path)
	return err
}

// Function is a function and its program.
type Function struct {
	function.Description
	Program *Program
}

// functionRecord is the body of a function's record.
type functionRecord struct {
	function.Description
	Program string `json:"host"` // the key of the program's record
}

// ProgramKey returns the key of the program at path.
func ProgramKey(path string) string {
	sum := sha256.Sum256([]byte(path))
	return hex.EncodeToString(sum[:16])
}

// Version identifies the state of the program's file: every change of the file changes it.
func (p *Program) Version() string {
	return fmt.Sprintf("%s %d %d %d", p.Path, p.Stamp.Size, p.Stamp.Modified, p.Stamp.Inode)
}

// NewProgram describes the program at path, which is of this build, by its functions.
func NewProgram(path string, stamp function.Stamp, build string, functions []function.Description) (*Program, error) {
	text, err := json.Marshal(functions)
	if err != nil {
		return nil, fmt.Errorf("encode functions of %s: %w", path, err)
	}
	sum := sha256.Sum256(text)
	p := &Program{Path: path, Stamp: stamp, Build: build, Digest: hex.EncodeToString(sum[:])}
	for _, f := range functions {
		p.Functions = append(p.Functions, f.Name)
	}
	slices.Sort(p.Functions)
	return p, nil
}

// Known reports whether the program is recorded exactly so.
func (p *Program) Known(r broker.Reader) (bool, error) {
	was, err := programs.get(r, ProgramKey(p.Path))
	if unreadable(err) {
		return false, nil // it is recorded again
	}
	return err == nil && was.Stamp == p.Stamp && was.Build == p.Build && was.Digest == p.Digest && slices.Equal(was.Functions, p.Functions), err
}

// PutProgram records a program and its functions, and removes those that it no longer has.
// A function of the same name in another program is no longer called there.
func PutProgram(tx *broker.Tx, p *Program, functions []function.Description, now time.Time) error {
	key := ProgramKey(p.Path)
	if err := RemoveProgram(tx, p.Path); err != nil && !unreadable(err) {
		return err
	}
	for i, f := range functions {
		was, err := callables.get(tx, f.Name)
		switch {
		case err == nil:
			err = dropFunction(tx, was.Program, f.Name)
		case unreadable(err):
			err = nil
		}
		if err != nil {
			return err
		}
		if err := put(tx, broker.Record{Kind: functionKind, Key: f.Name, Rank: now.UnixNano() + int64(i)}, functionRecord{f, key}); err != nil {
			return err
		}
	}
	p.Noted = now.UnixNano()
	if len(functions) == 0 {
		return nil
	}
	return p.save(tx)
}

// save writes the record of the program.
func (p *Program) save(tx *broker.Tx) error {
	return put(tx, broker.Record{Kind: programKind, Key: ProgramKey(p.Path), Rank: p.Noted}, p)
}

// RemoveProgram removes the program at path and its functions. [broker.ErrNotFound] means
// that it is not known.
func RemoveProgram(tx *broker.Tx, path string) error {
	key := ProgramKey(path)
	p, err := programs.get(tx, key)
	if err != nil {
		return err
	}
	for _, name := range p.Functions {
		if err := tx.DeleteRecord(functionKind, name); err != nil {
			return err
		}
	}
	return tx.DeleteRecord(programKind, key)
}

// dropFunction removes a function from its program, and a program without functions.
func dropFunction(tx *broker.Tx, key, name string) error {
	p, err := programs.get(tx, key)
	if unreadable(err) {
		return nil
	}
	if err != nil {
		return err
	}
	p.Functions = slices.DeleteFunc(p.Functions, func(other string) bool { return other == name })
	if len(p.Functions) == 0 {
		return tx.DeleteRecord(programKind, key)
	}
	return p.save(tx)
}

// FindFunction returns the function with this name and its program. The error wraps
// [broker.ErrNotFound] if there is none.
func FindFunction(r broker.Reader, name string) (*Function, error) {
	f, err := callables.get(r, name)
	if err != nil {
		return nil, err
	}
	p, err := programs.get(r, f.Program)
	if err != nil {
		return nil, err
	}
	return &Function{Description: f.Description, Program: p}, nil
}

// Functions returns all functions, sorted by their names.
func Functions(r broker.Reader) ([]*Function, error) {
	recorded, err := callables.list(r, broker.RecordSelect{})
	if err != nil {
		return nil, err
	}
	programs, err := Programs(r)
	if err != nil {
		return nil, err
	}
	var all []*Function
	for _, f := range recorded {
		i := slices.IndexFunc(programs, func(p *Program) bool { return ProgramKey(p.Path) == f.Program })
		if i >= 0 {
			all = append(all, &Function{f.Description, programs[i]})
		}
	}
	slices.SortFunc(all, func(a, b *Function) int { return cmp.Compare(a.Name, b.Name) })
	return all, nil
}

// Programs returns all programs.
func Programs(r broker.Reader) ([]*Program, error) { return programs.list(r, broker.RecordSelect{}) }

var callables = table[functionRecord]{functionKind, func(rec broker.Record) (f functionRecord, err error) {
	err = fields(rec, &f)
	if err == nil && (f.Name != rec.Key || f.Program == "") {
		err = errMismatch
	}
	return f, err
}}

var programs = table[*Program]{programKind, func(rec broker.Record) (*Program, error) {
	p := new(Program)
	err := fields(rec, p)
	if err == nil && ProgramKey(p.Path) != rec.Key {
		err = errMismatch
	}
	return p, err
}}

// UnknownFunction returns the message for a function that is not known, with what to do.
func UnknownFunction(name string) string {
	return fmt.Sprintf("function %s is not known here: run the program that registers it once in this project, or weft function add PROGRAM", name)
}
