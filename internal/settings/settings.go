// Package settings reads how a project behaves: its config.json, and the variables of
// the environment, also those of a file that WEFT_ENV_FILE names.
package settings

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"weft/broker"
	"weft/broker/sqlite"
	"weft/internal/literal"
	"weft/internal/project"
)

// Settings is how a project behaves: config.json, overridden by the
// environment. In the file the names are in lower case and without WEFT_.
type Settings struct {
	Durability string  `json:"durability,omitempty"`
	Lifetime   Seconds `json:"manager_lifetime_timeout,omitzero"`
	Reuse      *bool   `json:"manager_reuse_enabled,omitempty"` // nil is true
	MaxTasks   int     `json:"max_tasks,omitempty"`
	Busy       Seconds `json:"busy_timeout,omitzero"`
	MaxMessage int     `json:"max_message_size,omitempty"`
	OutputMB   int     `json:"output_mb,omitempty"`
	LogLevel   string  `json:"log_level,omitempty"`
	Autostart  *bool   `json:"autostart_tasks,omitempty"` // nil is true
	// Redact are paths into specs, such as "spec.args", that events and dumps
	// do not show; the values of spec.env they never do.
	Redact []string `json:"redact_taskspec_fields,omitempty"`
	// What is kept of tasks that have ended; 0 is the default, and less than 0 has no bound.
	KeepAge    Span  `json:"retention_age,omitzero"`
	KeepTasks  Count `json:"retention_tasks,omitzero"`
	KeepOutput Size  `json:"retention_output,omitzero"`
	KeepKeys   Span  `json:"retention_keys,omitzero"`
}

// defaultLifetime is how long a manager stays without work.
const defaultLifetime = 600 * time.Second

// defaultOutputMB is what is kept of a task's output, in MiB.
const defaultOutputMB = 1024

// minMessage is the least bound of messages, in bytes: what Weft itself writes
// about a task, a preview of its output included, must fit.
const minMessage = 16 << 10

// configName is the file of a project's settings in its folder.
const configName = "config.json"

// Seconds is a duration: in JSON in seconds, or a Go duration.
type Seconds time.Duration

// UnmarshalJSON reads what [literal.Duration] does.
func (s *Seconds) UnmarshalJSON(data []byte) error {
	d, err := literal.Duration(strings.Trim(string(data), `"`))
	*s = Seconds(d)
	return err
}

// MarshalJSON writes seconds.
func (s Seconds) MarshalJSON() ([]byte, error) {
	return json.Marshal(time.Duration(s).Seconds())
}

// Load reads the settings of the project whose folder is dir. Durability belongs to
// the project: its variable decides it only when the project is created. variable is
// what a variable says, empty if nothing.
func Load(dir string, created bool, variable func(name string) string) (Settings, error) {
	s := Settings{
		Durability: sqlite.Full.String(),
		Lifetime:   Seconds(defaultLifetime),
		MaxMessage: broker.MaxMessageBytes,
		OutputMB:   defaultOutputMB,
		LogLevel:   "info",
	}
	if err := s.readFile(dir); err != nil {
		return s, fmt.Errorf("read settings %s: %w", filepath.Join(dir, configName), err)
	}
	return s, s.override(variable, created)
}

// maxConfig is the most that a file of settings may have, in bytes.
const maxConfig = 1 << 20

// readFile reads config.json in dir, the project's folder. That it is missing, or
// empty, which a crash may leave of it, says nothing.
func (s *Settings) readFile(dir string) error {
	f, err := project.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	data, err := f.Read(configName, maxConfig)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(bytes.TrimSpace(data)) == 0 {
		return nil
	}
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err // the caller names the file
	}
	if err != nil {
		return err
	}
	return s.decode(data)
}

// decode reads settings in JSON. An error names the field.
func (s *Settings) decode(data []byte) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		one, err := json.Marshal(map[string]json.RawMessage{name: fields[name]})
		if err != nil {
			return err
		}
		d := json.NewDecoder(bytes.NewReader(one))
		d.DisallowUnknownFields()
		if err := d.Decode(s); err != nil {
			return fieldError(name, err)
		}
		for _, n := range s.numbers() {
			if n.field == name {
				err = n.check(*n.target)
			}
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if s.Durability != sqlite.Full.String() && s.Durability != sqlite.Normal.String() {
		return fmt.Errorf("durability: %q: want full or normal", s.Durability)
	}
	if _, err := s.Level(); err != nil {
		return fmt.Errorf("log_level: %w", err)
	}
	return nil
}

// fieldError says which field an error of package json is about.
func fieldError(name string, err error) error {
	wrong, ok := errors.AsType[*json.UnmarshalTypeError](err)
	if !ok {
		if strings.Contains(err.Error(), "unknown field") {
			return fmt.Errorf("unknown field %q", name)
		}
		return fmt.Errorf("%s: %w", name, err)
	}
	want := map[reflect.Kind]string{reflect.Int: "a whole number", reflect.Bool: "true or false", reflect.Slice: "a list of texts"}
	return fmt.Errorf("%s: want %s, not %s", name, cmp.Or(want[wrong.Type.Kind()], "a text"), wrong.Value)
}

// A number is a setting that is a number, with its bounds.
type number struct {
	field, variable string
	target          *int
	least, most     int
}

const (
	// mostTasks is the most tasks that may run at once, and mostMessage the largest
	// message that SQLite may hold.
	mostTasks   = 100_000
	mostMessage = 1_000_000_000
	// mostOutput is the most of a task's output that may be kept, in MiB.
	mostOutput = 1 << 30
)

func (s *Settings) numbers() []number {
	return []number{
		{"max_tasks", "WEFT_MAX_TASKS", &s.MaxTasks, 1, mostTasks},
		{"max_message_size", "WEFT_MAX_MESSAGE_SIZE", &s.MaxMessage, minMessage, mostMessage},
		{"output_mb", "WEFT_OUTPUT_MB", &s.OutputMB, 1, mostOutput},
	}
}

// check returns an error if n is out of the bounds.
func (b number) check(n int) error {
	switch {
	case n < b.least:
		return fmt.Errorf("want a whole number from %d on", b.least)
	case n > b.most:
		return fmt.Errorf("want a whole number up to %d", b.most)
	}
	return nil
}

// override applies the variables of the environment.
func (s *Settings) override(variable func(string) string, created bool) error {
	if v := variable("WEFT_DURABILITY"); v != "" {
		if v != sqlite.Full.String() && v != sqlite.Normal.String() {
			return fmt.Errorf("WEFT_DURABILITY=%q: want full or normal", v)
		}
		if created {
			s.Durability = v
		}
	}
	for name, target := range map[string]*Seconds{
		"WEFT_MANAGER_LIFETIME_TIMEOUT": &s.Lifetime,
		"WEFT_BUSY_TIMEOUT":             &s.Busy,
	} {
		if v := variable(name); v != "" {
			d, err := literal.Duration(v)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			*target = Seconds(d)
		}
	}
	for name, target := range map[string]interface{ parse(text string) error }{
		"WEFT_RETENTION_AGE":    &s.KeepAge,
		"WEFT_RETENTION_TASKS":  &s.KeepTasks,
		"WEFT_RETENTION_OUTPUT": &s.KeepOutput,
		"WEFT_RETENTION_KEYS":   &s.KeepKeys,
	} {
		if v := variable(name); v != "" {
			if err := target.parse(v); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	for _, number := range s.numbers() {
		if v := variable(number.variable); v != "" {
			n, _ := strconv.Atoi(v) // 0 where it is none, which is out of all bounds
			if err := number.check(n); err != nil {
				return fmt.Errorf("%s=%q: %w", number.variable, v, err)
			}
			*number.target = n
		}
	}
	for _, flag := range []struct {
		name   string
		target **bool
	}{
		{"WEFT_MANAGER_REUSE_ENABLED", &s.Reuse},
		{"WEFT_AUTOSTART_TASKS", &s.Autostart},
	} {
		if v := variable(flag.name); v != "" {
			on, err := strconv.ParseBool(v)
			if err != nil {
				return fmt.Errorf("%s=%q: want true or false", flag.name, v)
			}
			*flag.target = &on
		}
	}
	if v := variable("WEFT_REDACT_TASKSPEC_FIELDS"); v != "" {
		s.Redact = nil
		for path := range strings.SplitSeq(v, ",") {
			if path = strings.TrimSpace(path); path != "" {
				s.Redact = append(s.Redact, path)
			}
		}
	}
	if v := variable("WEFT_LOG_LEVEL"); v != "" {
		s.LogLevel = v
	}
	if _, err := s.Level(); err != nil {
		return fmt.Errorf("WEFT_LOG_LEVEL=%w", err)
	}
	return nil
}

// Save writes the settings that belong to the project, unless they are there:
// autostart is one of them if it was set.
// Others that open the project meanwhile see all of the file or none of it.
func (s Settings) Save(dir string, autostart *bool) error {
	data, err := json.MarshalIndent(Settings{Durability: s.Durability, Autostart: autostart}, "", "  ")
	if err != nil {
		return err
	}
	f, err := project.Open(dir)
	if err != nil {
		return fmt.Errorf("write settings: %w", err)
	}
	defer f.Close()
	if err := f.Add(configName, append(data, '\n')); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("write settings: %w", err)
	}
	return nil
}

// BusyTimeout is how long to wait for other processes; 0 is the store's own
// default.
func (s Settings) BusyTimeout() time.Duration { return time.Duration(s.Busy) }

// Level is the least level that the manager logs.
func (s Settings) Level() (slog.Level, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(s.LogLevel)); err != nil {
		return l, fmt.Errorf("%q: want debug, info, warn or error", s.LogLevel)
	}
	return l, nil
}
