package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
	"slices"
	"strings"

	"weft/broker"
)

// envKind is the kind of the records of environments. Their key is the hash of their
// content, so that the tasks of one shell share one.
const envKind = "env"

// The variables that identify the task of a process. They are never part of a stored
// environment: each task gets its own.
const (
	EnvTID     = "WEFT_TID"
	EnvEpoch   = "WEFT_EPOCH"
	EnvMessage = "WEFT_MESSAGE_ID"
	EnvContext = "WEFT_CONTEXT"
)

// EncodeEnv packs an environment, as os.Environ returns it, into one string. It does not
// use JSON, because values may be any bytes but NUL.
func EncodeEnv(env []string) string {
	return strings.Join(slices.DeleteFunc(slices.Clone(env), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return name == EnvTID || name == EnvEpoch || name == EnvMessage
	}), "\x00")
}

// DecodeEnv is the inverse of [EncodeEnv].
func DecodeEnv(packed string) []string {
	if packed == "" {
		return nil
	}
	return strings.Split(packed, "\x00")
}

// attributesEntry is the prefix of the entry that holds the attributes of the submitter's
// process: no variable has an empty name.
const attributesEntry = "=weft="

// WithAttributes adds the packed attributes of a process in front of its environment.
func WithAttributes(env []string, attributes string) []string {
	all := make([]string, 0, len(env)+1)
	all = append(all, attributesEntry+attributes)
	for _, entry := range env {
		if !strings.HasPrefix(entry, attributesEntry) {
			all = append(all, entry)
		}
	}
	return all
}

// CutAttributes is the inverse of [WithAttributes]; attributes are empty if there are none.
func CutAttributes(all []string) (env []string, attributes string) {
	if len(all) > 0 {
		if attributes, found := strings.CutPrefix(all[0], attributesEntry); found {
			return all[1:], attributes
		}
	}
	return all, ""
}

// keepEnv stores an environment if it is new, or its record is damaged, and returns its
// key. id is the request that needs it; the first one becomes the rank of the record.
func keepEnv(tx *broker.Tx, packed string, id broker.ID) (key string, err error) {
	key = envKey(packed)
	rec, err := tx.Record(envKind, key)
	if errors.Is(err, broker.ErrNotFound) || err == nil && rec.Body != packed {
		err = tx.PutRecord(broker.Record{Kind: envKind, Key: key, Rank: int64(id), Body: packed})
	}
	return key, err
}

// Environment returns a stored environment, packed as by [EncodeEnv].
func Environment(r broker.Reader, key string) (string, error) { return environments.get(r, key) }

var environments = table[string]{envKind, func(rec broker.Record) (string, error) {
	if envKey(rec.Body) != rec.Key {
		return "", errMismatch
	}
	return rec.Body, nil
}}

func envKey(packed string) string {
	sum := sha256.Sum256([]byte(packed))
	return hex.EncodeToString(sum[:])
}

// Overlay returns env with the variables of over added or replaced.
func Overlay(env []string, over map[string]string) []string {
	env = slices.DeleteFunc(slices.Clone(env), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		_, replaced := over[name]
		return replaced
	})
	for _, name := range slices.Sorted(maps.Keys(over)) {
		env = append(env, name+"="+over[name])
	}
	return env
}
