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

// A line is a line of a dump, of any type and format. Missing fields are nil.
type line struct {
	Type string `json:"type"`

	Format   *string `json:"format,omitempty"`
	Version  *int    `json:"version,omitempty"`
	LastID   *lineID `json:"last_id,omitempty"`
	LastTS   *lineID `json:"last_ts,omitempty"` // of headFormat and oldFormat
	Store    string  `json:"store,omitempty"`
	Created  int64   `json:"created,omitempty"` // nanoseconds since 1970
	Redacted bool    `json:"redacted,omitempty"`

	Alias  *string `json:"alias,omitempty"`
	Target *string `json:"target,omitempty"`

	Kind  *string `json:"kind,omitempty"`
	Key   *string `json:"key,omitempty"`
	State *string `json:"state,omitempty"`
	Rank  *int64  `json:"rank,omitempty"`

	Queue     *string `json:"queue,omitempty"`
	ID        *lineID `json:"id,omitempty"`
	Timestamp *lineID `json:"timestamp,omitempty"` // of oldFormat
	Body      *string `json:"body,omitempty"`      // of a record or a message

	Messages *int `json:"messages,omitempty"`
}

// maxDumpID is the greatest id that is loaded: 2^62, the year 2116. A greater one would
// leave the store few ids.
const maxDumpID = 1 << 62

// A lineID is an id in any of the formats: a number, or its digits as a string.
type lineID ID

// MarshalJSON writes the digits as a string: not every reader of JSON keeps all of a number.
func (id lineID) MarshalJSON() ([]byte, error) { return []byte(`"` + ID(id).String() + `"`), nil }

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
func parseLine(text []byte) (l line, err error) {
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
