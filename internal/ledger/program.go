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
	// Functions are those that it registers, sorted by their names.
	Functions []function.Description `json:"functions"`
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

// Function is a function and its programs, with the description that the first one gives.
type Function struct {
	function.Description
	// Programs have registered the name, the newest first. The first one whose file is there
	// is executed.
	Programs []*Program
}

// functionRecord is the body of a function's record.
type functionRecord struct {
	Name     string   `json:"name"`
	Programs []string `json:"programs"` // the keys of their records, the newest first
}

// maxPrograms is how many programs are kept for one function. A program that `go run` has
// built has a path of its own each time, so there must be a bound.
const maxPrograms = 4

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
	p.Functions = slices.SortedFunc(slices.Values(functions), func(a, b function.Description) int { return cmp.Compare(a.Name, b.Name) })
	return p, nil
}

// Known reports whether the program is recorded exactly so.
func (p *Program) Known(r broker.Reader) (bool, error) {
	was, err := programs.get(r, ProgramKey(p.Path))
	if unreadable(err) {
		return false, nil // it is recorded again
	}
	return err == nil && was.Stamp == p.Stamp && was.Build == p.Build && was.Digest == p.Digest, err
}

// PutProgram records a program with its functions, one that it no longer has not any more.
// It comes before other programs that have registered the same names.
func PutProgram(tx *broker.Tx, p *Program, now time.Time) error {
	key := ProgramKey(p.Path)
	if err := RemoveProgram(tx, p.Path); err != nil && !unreadable(err) {
		return err
	}
	for i, f := range p.Functions {
		was, err := callables.get(tx, f.Name)
		if err != nil && !unreadable(err) {
			return err
		}
		r := functionRecord{f.Name, slices.Insert(was.Programs, 0, key)}
		for len(r.Programs) > maxPrograms {
			oldest := r.Programs[maxPrograms]
			r.Programs = slices.Delete(r.Programs, maxPrograms, maxPrograms+1)
			if err := dropFunction(tx, oldest, f.Name); err != nil {
				return err
			}
		}
		if err := r.save(tx, now.UnixNano()+int64(i)); err != nil {
			return err
		}
	}
	p.Noted = now.UnixNano()
	if len(p.Functions) == 0 {
		return nil
	}
	return p.save(tx)
}

// save writes the record of the function.
func (f functionRecord) save(tx *broker.Tx, rank int64) error {
	return put(tx, broker.Record{Kind: functionKind, Key: f.Name, Rank: rank}, f)
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
	for _, f := range p.Functions {
		r, err := callables.get(tx, f.Name)
		if unreadable(err) {
			continue
		}
		if err != nil {
			return err
		}
		r.Programs = slices.DeleteFunc(r.Programs, func(other string) bool { return other == key })
		if len(r.Programs) == 0 {
			err = tx.DeleteRecord(functionKind, f.Name)
		} else {
			err = r.save(tx, p.Noted)
		}
		if err != nil {
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
	p.Functions = slices.DeleteFunc(p.Functions, func(f function.Description) bool { return f.Name == name })
	if len(p.Functions) == 0 {
		return tx.DeleteRecord(programKind, key)
	}
	return p.save(tx)
}

// FindFunction returns the function with this name and its programs. The error wraps
// [broker.ErrNotFound] if there is none.
func FindFunction(r broker.Reader, name string) (*Function, error) {
	f, err := callables.get(r, name)
	if err != nil {
		return nil, err
	}
	return f.resolve(func(key string) (*Program, error) { return programs.get(r, key) })
}

// Functions returns all functions, sorted by their names.
func Functions(r broker.Reader) ([]*Function, error) {
	recorded, err := callables.list(r, broker.RecordSelect{})
	if err != nil {
		return nil, err
	}
	known := make(map[string]*Program)
	all, err := Programs(r)
	if err != nil {
		return nil, err
	}
	for _, p := range all {
		known[ProgramKey(p.Path)] = p
	}
	var found []*Function
	for _, f := range recorded {
		one, err := f.resolve(func(key string) (*Program, error) {
			if p := known[key]; p != nil {
				return p, nil
			}
			return nil, broker.ErrNotFound
		})
		if err == nil {
			found = append(found, one)
		}
	}
	slices.SortFunc(found, func(a, b *Function) int { return cmp.Compare(a.Name, b.Name) })
	return found, nil
}

// resolve returns the function with those of its programs that get finds.
func (f functionRecord) resolve(get func(key string) (*Program, error)) (*Function, error) {
	var found *Function
	err := error(broker.ErrNotFound)
	for _, key := range f.Programs {
		p, failed := get(key)
		if failed != nil {
			err = failed
			continue
		}
		i := slices.IndexFunc(p.Functions, func(d function.Description) bool { return d.Name == f.Name })
		if i < 0 {
			continue
		}
		if found == nil {
			found = &Function{Description: p.Functions[i]}
		}
		found.Programs = append(found.Programs, p)
	}
	if found == nil {
		return nil, err
	}
	return found, nil
}

// Programs returns all programs.
func Programs(r broker.Reader) ([]*Program, error) { return programs.list(r, broker.RecordSelect{}) }

var callables = table[functionRecord]{functionKind, func(rec broker.Record) (f functionRecord, err error) {
	err = fields(rec, &f)
	if err == nil && (f.Name != rec.Key || len(f.Programs) == 0) {
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
