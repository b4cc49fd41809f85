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

// The kinds of the records of host programs, whose keys are those of
// [ProgramKey], and of their functions, whose keys are their names.
const (
	programKind  = "host"
	functionKind = "function"
)

// Program is a program that has registered functions, as it was when it was last
// asked.
type Program struct {
	Path  string         `json:"path"` // of the executable
	Stamp function.Stamp `json:"stamp"`
	Build string         `json:"build"`
	// Functions are the names of those that are called in this host, sorted. Two
	// programs may register the same name: the later has it.
	Functions []string `json:"functions"`
	// Digest is that of all it registers.
	Digest string `json:"digest"`
	Noted  int64  `json:"noted_at"` // nanoseconds since 1970
}

// rawHost is a Host in JSON: its path may hold any bytes.
type rawHost struct {
	*plainHost
	Path taskspec.RawString `json:"path"`
}

type plainHost Program

// MarshalJSON writes the host.
func (h *Program) MarshalJSON() ([]byte, error) {
	return json.Marshal(rawHost{(*plainHost)(h), taskspec.RawString(h.Path)})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (h *Program) UnmarshalJSON(data []byte) error {
	v := rawHost{plainHost: (*plainHost)(h)}
	err := json.Unmarshal(data, &v)
	h.Path = string(v.Path)
	return err
}

// Function is a function and its host.
type Function struct {
	function.Description
	Host *Program
}

// functionRecord is the body of a function's record.
type functionRecord struct {
	function.Description
	Host string `json:"host"` // the key of the host's record
}

// ProgramKey is the key of the host at path.
func ProgramKey(path string) string {
	sum := sha256.Sum256([]byte(path))
	return hex.EncodeToString(sum[:16])
}

// Version names the host as it is: a change of its file changes it.
func (h *Program) Version() string {
	return fmt.Sprintf("%s %d %d %d", h.Path, h.Stamp.Size, h.Stamp.Modified, h.Stamp.Inode)
}

// NewProgram describes the program at path, which is of this build, by its
// functions.
func NewProgram(path string, stamp function.Stamp, build string, functions []function.Description) (*Program, error) {
	text, err := json.Marshal(functions)
	if err != nil {
		return nil, fmt.Errorf("encode functions of %s: %w", path, err)
	}
	sum := sha256.Sum256(text)
	h := &Program{Path: path, Stamp: stamp, Build: build, Digest: hex.EncodeToString(sum[:])}
	for _, f := range functions {
		h.Functions = append(h.Functions, f.Name)
	}
	slices.Sort(h.Functions)
	return h, nil
}

// Known reports whether the host is recorded just so.
func (h *Program) Known(r recordReader) (bool, error) {
	was, err := hosts.get(r, ProgramKey(h.Path))
	if unreadable(err) {
		return false, nil // it is recorded anew
	}
	return err == nil && was.Stamp == h.Stamp && was.Build == h.Build && was.Digest == h.Digest && slices.Equal(was.Functions, h.Functions), err
}

// recordReader is who reads single records: a broker.Reader or a *broker.Tx.
type recordReader interface {
	recordLister
	Record(kind, key string) (broker.Record, error)
}

// PutProgram records a host and its functions, and forgets those that it no longer
// has. A function of the same name in another host is no longer called there.
func PutProgram(tx *broker.Tx, h *Program, functions []function.Description, now time.Time) error {
	key := ProgramKey(h.Path)
	if err := RemoveProgram(tx, h.Path); err != nil && !unreadable(err) {
		return err
	}
	for i, f := range functions {
		was, err := callables.get(tx, f.Name)
		switch {
		case err == nil:
			err = dropFunction(tx, was.Host, f.Name)
		case unreadable(err):
			err = nil
		}
		if err != nil {
			return err
		}
		if err := put(tx, functionKind, f.Name, now.UnixNano()+int64(i), functionRecord{f, key}); err != nil {
			return err
		}
	}
	h.Noted = now.UnixNano()
	if len(functions) == 0 {
		return nil
	}
	return put(tx, programKind, key, h.Noted, h)
}

// RemoveProgram forgets the host at path and its functions. [broker.ErrNotFound]
// means that it is not known.
func RemoveProgram(tx *broker.Tx, path string) error {
	key := ProgramKey(path)
	h, err := hosts.get(tx, key)
	if err != nil {
		return err
	}
	for _, name := range h.Functions {
		if err := tx.DeleteRecord(functionKind, name); err != nil {
			return err
		}
	}
	return tx.DeleteRecord(programKind, key)
}

// dropFunction takes a function from its host, and forgets a host without any.
func dropFunction(tx *broker.Tx, key, name string) error {
	h, err := hosts.get(tx, key)
	if unreadable(err) {
		return nil
	}
	if err != nil {
		return err
	}
	h.Functions = slices.DeleteFunc(h.Functions, func(other string) bool { return other == name })
	if len(h.Functions) == 0 {
		return tx.DeleteRecord(programKind, key)
	}
	return put(tx, programKind, key, h.Noted, h)
}

func put(tx *broker.Tx, kind, key string, rank int64, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %s %s: %w", kind, key, err)
	}
	return tx.PutRecord(broker.Record{Kind: kind, Key: key, Rank: rank, Body: string(body)})
}

// FindFunction returns the function with this name and its host. The error wraps
// [broker.ErrNotFound] if there is none.
func FindFunction(r recordReader, name string) (*Function, error) {
	f, err := callables.get(r, name)
	if err != nil {
		return nil, err
	}
	h, err := hosts.get(r, f.Host)
	if err != nil {
		return nil, err
	}
	return &Function{Description: f.Description, Host: h}, nil
}

// Functions returns all functions, sorted by their names.
func Functions(r recordReader) ([]*Function, error) {
	recorded, err := callables.list(r, broker.RecordSelect{})
	if err != nil {
		return nil, err
	}
	hosts, err := Programs(r)
	if err != nil {
		return nil, err
	}
	var all []*Function
	for _, f := range recorded {
		i := slices.IndexFunc(hosts, func(h *Program) bool { return ProgramKey(h.Path) == f.Host })
		if i >= 0 {
			all = append(all, &Function{f.Description, hosts[i]})
		}
	}
	slices.SortFunc(all, func(a, b *Function) int { return cmp.Compare(a.Name, b.Name) })
	return all, nil
}

// Programs returns all hosts.
func Programs(r recordLister) ([]*Program, error) { return hosts.list(r, broker.RecordSelect{}) }

var callables = table[functionRecord]{functionKind, func(rec broker.Record) (f functionRecord, err error) {
	err = fields(rec, &f)
	if err == nil && (f.Name != rec.Key || f.Host == "") {
		err = errElsewhere
	}
	return f, err
}}

var hosts = table[*Program]{programKind, func(rec broker.Record) (*Program, error) {
	h := new(Program)
	err := fields(rec, h)
	if err == nil && ProgramKey(h.Path) != rec.Key {
		err = errElsewhere
	}
	return h, err
}}

// UnknownFunction says that there is no function with this name, and what to do.
func UnknownFunction(name string) string {
	return fmt.Sprintf("function %s is not known here: run the program that registers it once in this project, or weft function add PROGRAM", name)
}
