package taskspec

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// The checks in this file matter for specs that were built in Go: encoding/json
// would write what they refuse as something else, or not at all.

const (
	notUTF8   = "must be valid UTF-8"
	notOSText = "must not hold NUL characters"
)

// checkUTF8 refuses text that JSON cannot carry.
func checkUTF8(r *report, path, text string) {
	if !utf8.ValidString(text) {
		r.add(path, notUTF8)
	}
}

// checkOSText refuses text that an operating system does not take in an argv,
// an environment or a path.
func checkOSText(r *report, path, text string) {
	if !osText(text) {
		r.add(path, notOSText)
	}
}

// osText reports whether [checkOSText] accepts the text.
func osText(text string) bool {
	return !strings.Contains(text, "\x00")
}

// Head returns the first bytes of text, at most so many, and cuts no character in
// two.
func Head[T string | []byte](text T, most int) T {
	if len(text) <= most {
		return text
	}
	for cut := most; cut >= max(0, most-utf8.UTFMax+1); cut-- {
		if utf8.RuneStart(text[cut]) {
			return text[:cut]
		}
	}
	return text[:most] // it is no text
}

// Tail is [Head] for the last bytes.
func Tail[T string | []byte](text T, most int) T {
	start := len(text) - most
	if start <= 0 {
		return text
	}
	for cut := start; cut <= min(len(text), start+utf8.UTFMax-1); cut++ {
		if cut == len(text) || utf8.RuneStart(text[cut]) {
			return text[cut:]
		}
	}
	return text[start:]
}

// checkFree checks a value that has no schema: its text, its numbers and its
// depth. depth is the level in the document that the value would be on if it is
// a list or an object. Go values other than the ones JSON decodes to are left
// to encoding/json.
func checkFree(r *report, path string, value any, depth int) {
	switch v := value.(type) {
	case string:
		checkUTF8(r, path, v)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			r.add(path, "must be a finite number")
		}
	case json.Number:
		if !json.Valid([]byte(v)) {
			r.add(path, "is not a number: "+quote(string(v)))
		}
	case []string: // tags, in Go
		for i, elem := range v {
			checkUTF8(r, element(path, i), elem)
		}
	case []any:
		if !depthAllowed(r, path, depth) {
			return
		}
		for i, elem := range v {
			checkFree(r, element(path, i), elem, depth+1)
		}
	case map[string]any:
		checkFreeMap(r, path, v, depth)
	}
}

// checkFreeMap is [checkFree] for an object.
func checkFreeMap(r *report, path string, m map[string]any, depth int) {
	if len(m) == 0 || !depthAllowed(r, path, depth) {
		return
	}
	for _, key := range sortedKeys(m) {
		at := child(path, key)
		if !utf8.ValidString(key) {
			r.add(at, "the key "+notUTF8)
		}
		checkFree(r, at, m[key], depth+1)
	}
}

// depthAllowed refuses what [Decode] would refuse, and with it a value that
// holds itself.
func depthAllowed(r *report, path string, depth int) bool {
	if depth > maxDepth {
		r.add(path, fmt.Sprintf("nested more than %d deep", maxDepth))
	}
	return depth <= maxDepth
}
