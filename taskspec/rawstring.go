package taskspec

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"weft/internal/schema"
)

// A RawString is a string of any bytes, such as a path or an argument of a Unix
// process. In JSON it is a string where it is UTF-8, and else an object
// {"base64": "…"}, for encoding/json would replace its bytes silently.
type RawString string

// rawKey is the only key of the object that stands for a string.
const rawKey = "base64"

// MarshalJSON writes a string or an object.
func (s RawString) MarshalJSON() ([]byte, error) {
	if utf8.ValidString(string(s)) {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false) // that is for whoever asks for it
		err := e.Encode(string(s))
		return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
	}
	return json.Marshal(map[string]string{rawKey: base64.StdEncoding.EncodeToString([]byte(s))})
}

// UnmarshalJSON reads either form; null leaves the string as it is.
func (s *RawString) UnmarshalJSON(data []byte) error {
	var value any
	if err := json.Unmarshal(data, &value); err != nil || value == nil {
		return err
	}
	text, ok := rawText(value)
	if !ok {
		return fmt.Errorf("want %s", aRawString)
	}
	*s = RawString(text)
	return nil
}

// aRawString names the forms of a RawString, for errors.
const aRawString = `a string or {"base64": "…"}`

// rawText returns the text that a JSON value stands for, which is a string or an
// object as [RawString.MarshalJSON] writes it.
func rawText(value any) (string, bool) {
	switch v := value.(type) {
	case string:
		return v, true
	case map[string]any:
		encoded, ok := v[rawKey].(string)
		if !ok || len(v) != 1 || encoded == "" || strings.ContainsAny(encoded, "\r\n") {
			return "", false
		}
		text, err := base64.StdEncoding.DecodeString(encoded)
		return string(text), err == nil
	}
	return "", false
}

// RawStrings converts a list of strings.
func RawStrings(all []string) []RawString { return convert[string, RawString](all) }

// PlainStrings is the inverse of [RawStrings].
func PlainStrings(all []RawString) []string { return convert[RawString, string](all) }

func convert[From, To ~string](all []From) []To {
	if all == nil {
		return nil
	}
	converted := make([]To, len(all))
	for i, s := range all {
		converted[i] = To(s)
	}
	return converted
}

// RawEnv converts the values of an environment.
func RawEnv(env map[string]string) map[string]RawString { return convertMap[string, RawString](env) }

// PlainEnv is the inverse of [RawEnv].
func PlainEnv(env map[string]RawString) map[string]string { return convertMap[RawString, string](env) }

func convertMap[From, To ~string](m map[string]From) map[string]To {
	if m == nil {
		return nil
	}
	converted := make(map[string]To, len(m))
	for key, s := range m {
		converted[key] = To(s)
	}
	return converted
}

// base64Pattern matches the base64 of at least one byte.
const base64Pattern = `^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)$`

// orRaw lets a schema of strings accept the object that stands for one too.
func orRaw(s *schema.Schema) {
	encoded := &schema.Schema{Type: schema.Types{"string"}, Pattern: base64Pattern}
	s.Type = append(s.Type, "object")
	s.Properties, s.Required = schema.Properties{{Name: rawKey, Schema: encoded}}, []string{rawKey}
	s.AdditionalProperties = &schema.Schema{Nothing: true}
}
