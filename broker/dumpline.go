package broker

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// The formats that [Load] reads. Dump writes the first.
const (
	dumpFormat  = "weft-dump"
	dumpVersion = 1
	// headFormat is the format of the development version of the original Weft, and
	// oldFormat that of its release 0.1.0, which does not name it.
	headFormat  = "simplebroker-dump"
	headVersion = 1
	oldFormat   = "weft-0.1.0"
)

// The types of lines.
const (
	typeMeta    = "meta"
	typeHeader  = "header" // of headFormat
	typeAlias   = "alias"
	typeRecord  = "record"
	typeMessage = "message"
	typeEnd     = "end"
)

type metaLine struct {
	Type     string `json:"type"`
	Format   string `json:"format"`
	Version  int    `json:"version"`
	LastID   string `json:"last_id"`
	Store    string `json:"store"`
	Created  int64  `json:"created"` // nanoseconds since 1970
	Redacted bool   `json:"redacted,omitempty"`
}

type aliasLine struct {
	Type   string `json:"type"`
	Alias  string `json:"alias"`
	Target string `json:"target"`
}

type recordLine struct {
	Type  string `json:"type"`
	Kind  string `json:"kind"`
	Key   string `json:"key"`
	State string `json:"state"`
	Rank  int64  `json:"rank"`
	Body  string `json:"body"`
}

type messageLine struct {
	Type  string `json:"type"`
	Queue string `json:"queue"`
	ID    string `json:"id"`
	Body  string `json:"body"`
}

type endLine struct {
	Type     string `json:"type"`
	Messages int    `json:"messages"`
}

// anyLine is a line of any type and format. Missing fields are nil.
type anyLine struct {
	Type string `json:"type"`

	Format   *string `json:"format"`
	Version  *int    `json:"version"`
	LastID   *lineID `json:"last_id"`
	LastTS   *lineID `json:"last_ts"`
	Store    string  `json:"store"`
	Created  int64   `json:"created"`
	Redacted bool    `json:"redacted"`

	Alias  *string `json:"alias"`
	Target *string `json:"target"`

	Kind  *string `json:"kind"`
	Key   *string `json:"key"`
	State *string `json:"state"`
	Rank  *int64  `json:"rank"`
	Body  *string `json:"body"`

	Queue     *string `json:"queue"`
	ID        *lineID `json:"id"`
	Timestamp *lineID `json:"timestamp"` // of oldFormat

	Messages *int `json:"messages"`
}

// maxDumpID is the greatest id that is loaded: 2^62, the year 2116. A greater one would
// leave the store few ids.
const maxDumpID = 1 << 62

// A lineID is an id in any of the formats: a number, or its digits as a string.
type lineID ID

// UnmarshalJSON reads an id, or 0.
func (id *lineID) UnmarshalJSON(data []byte) error {
	text := strings.TrimSuffix(strings.TrimPrefix(string(data), `"`), `"`)
	n, err := strconv.ParseUint(text, 10, 64)
	switch {
	case err != nil:
		return fmt.Errorf("id %.40s: want a whole number", data)
	case n > maxDumpID:
		return fmt.Errorf("id %s is of the year 2116 or later", text)
	}
	*id = lineID(n)
	return nil
}

// parseLine parses a line.
func parseLine(text []byte) (l anyLine, err error) {
	err = json.Unmarshal(text, &l)
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && e.Field != "" {
		err = fmt.Errorf("field %q must not be a %s", e.Field, e.Value)
	} else if ok {
		err = fmt.Errorf("want an object, not a %s", e.Value)
	} else if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		err = fmt.Errorf("not JSON: %w", e)
	}
	return l, err
}
