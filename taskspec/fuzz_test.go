package taskspec

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"testing"
	"unicode/utf8"
)

// FuzzDecode checks, for whatever Decode accepts, that encoding/json reads the
// same from it, that it comes back from its own JSON as it was, and that
// everything else here can take it.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(taskOf300Bytes))
	f.Add([]byte(allFields))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Decode(data)
		if err != nil {
			if _, ok := errors.AsType[*ValidationError](err); !ok || s != nil {
				t.Fatalf("Decode returned %v and a %T: %v", s, err, err)
			}
			if _, err := DecodeValid(data, Rules{}); err == nil {
				t.Fatal("DecodeValid accepts what Decode does not")
			}
			return
		}
		var reference Spec
		d := json.NewDecoder(bytes.NewReader(data))
		d.UseNumber()
		if err := d.Decode(&reference); err != nil {
			t.Fatalf("encoding/json: %v", err)
		}
		if !reflect.DeepEqual(s, &reference) {
			t.Fatalf("Decode read         %+v\nencoding/json read %+v", s, &reference)
		}
		encoded, err := json.Marshal(s)
		if err != nil {
			t.Fatalf("encode: %v", err)
		}
		again, err := Decode(encoded)
		if err != nil {
			t.Fatalf("decode %s: %v", encoded, err)
		}
		if !reflect.DeepEqual(s, again) {
			t.Fatalf("%+v came back from %s as %+v", s, encoded, again)
		}
		_, invalid := DecodeValid(data, Rules{Cores: 1})
		if valid := s.ValidateFor(Rules{Cores: 1}); (valid == nil) != (invalid == nil) {
			t.Fatalf("ValidateFor: %v, DecodeValid: %v", valid, invalid)
		}
		r := s.Resolve(testTID, "/p")
		r.Redacted("spec", "metadata.a.b", "spec.args.0", "io", "state.error")
		r.Unsupported()
		if _, err := r.Argv(); err != nil && r.Type == KindCommand && invalid == nil {
			t.Fatalf("Argv of a valid spec: %v", err)
		}
	})
}

// FuzzCommandItem checks that text stays what it is and that an item comes back
// from its own JSON.
func FuzzCommandItem(f *testing.F) {
	f.Add(`{"args":["--verbose",3],"stdin":"two lines\nof text\n"}`)
	f.Add("hello\n")
	f.Fuzz(func(t *testing.T, body string) {
		item, err := CommandItem(body)
		var keys map[string]json.RawMessage
		isItem := utf8.ValidString(body) && json.Unmarshal([]byte(body), &keys) == nil && keys != nil
		for key := range keys {
			isItem = isItem && (key == "stdin" || key == "args")
		}
		if !isItem && (err != nil || item.Stdin != body || item.Args != nil) {
			t.Fatalf("text became %+v, %v", item, err)
		}
		if !isItem || err != nil {
			return
		}
		encoded, err := json.Marshal(map[string]any{"stdin": item.Stdin, "args": append([]string{}, item.Args...)})
		if err != nil {
			t.Fatal(err)
		}
		again, err := CommandItem(string(encoded))
		if err != nil || again.Stdin != item.Stdin || !slices.Equal(again.Args, item.Args) {
			t.Fatalf("%+v came back from %s as %+v, %v", item, encoded, again, err)
		}
	})
}
