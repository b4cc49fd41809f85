package taskspec

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// rawStrings generates strings of any bytes but NUL, half of them of bytes that JSON
// cannot carry.
func rawStrings() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		if rapid.Bool().Draw(t, "is text") {
			return strings.ReplaceAll(rapid.String().Draw(t, "text"), "\x00", "")
		}
		return string(rapid.SliceOf(rapid.ByteRange(1, 255)).Draw(t, "bytes"))
	})
}

// What a command is made of comes through JSON byte for byte, whoever writes and
// reads it, and the JSON is UTF-8.
func TestSpecKeepsBytes(t *testing.T) {
	t.Parallel()
	schema := compile(t, Rules{})
	rapid.Check(t, func(rt *rapid.T) {
		s := command()
		s.ProcessTarget = "/" + rawStrings().Draw(rt, "process_target")
		s.WorkingDir = rawStrings().Draw(rt, "working_dir")
		s.Env = map[string]string{"A": rawStrings().Draw(rt, "value")}
		s.Args = []any{}
		for _, arg := range rapid.SliceOfN(rawStrings(), 0, 3).Draw(rt, "args") {
			s.Args = append(s.Args, arg)
		}
		s.Metadata = map[string]any{"big": json.Number("12345678901234567890")}
		want := s.Resolve(testTID, "/"+rawStrings().Draw(rt, "root"))
		text, err := json.Marshal(want)
		if err != nil {
			rt.Fatal(err)
		}
		if !utf8.Valid(text) || strings.ContainsRune(string(text), utf8.RuneError) && !strings.Contains(textOf(want), "\uFFFD") {
			rt.Fatalf("bytes were replaced: %s", text)
		}
		bySchema, strict := verdicts(t, schema, Rules{}, text)
		if bySchema != nil || strict != nil {
			rt.Fatalf("%s: the schema says %v, the validator %v, want nil", text, bySchema, strict)
		}
		decoded, err := Decode(text)
		if err != nil {
			rt.Fatal(err)
		}
		loose := new(Spec)
		if err := json.Unmarshal(text, loose); err != nil {
			rt.Fatal(err)
		}
		for _, got := range []*Spec{decoded, loose} {
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				rt.Fatalf("%s differs (-want +got):\n%s", text, diff)
			}
		}
		argv, err := decoded.Argv()
		wantArgv, _ := want.Argv()
		if diff := cmp.Diff(wantArgv, argv); err != nil || diff != "" {
			rt.Fatalf("Argv: %v (-want +got):\n%s", err, diff)
		}
	})
}

// textOf is all the bytes that a command is made of.
func textOf(s *Spec) string {
	argv, _ := s.Argv()
	return strings.Join(argv, "") + s.WorkingDir + s.WeftContext + s.Env["A"]
}

func TestDefaultsKeepBytes(t *testing.T) {
	t.Parallel()
	text := `{"name":"a","target":{"type":"task","name":"t"},"defaults":{"args":[{"base64":"Yf8="}],"env":{"A":{"base64":"/w=="}}}}`
	m, err := DecodeManifest([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := json.Marshal(m)
	if err != nil || string(encoded) != strings.Replace(text, `"defaults"`, `"policy":{},"defaults"`, 1) && string(encoded) != text {
		t.Errorf("encoded %s, %v, want %s", encoded, err, text)
	}
	task := m.Defaults.Over(command())
	argv, err := task.Argv()
	if err != nil || argv[len(argv)-1] != "a\xff" || task.Env["A"] != "\xff" {
		t.Errorf("argv %q, env %q, %v; want a\\xff at the end and \\xff", argv, task.Env, err)
	}
	if err := task.Validate(); err != nil {
		t.Errorf("Validate: %v", err)
	}
}

func TestRawStringRefuses(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		`{}`:                           aRawString,
		`{"base64":1}`:                 aRawString,
		`{"base64":"!"}`:               aRawString,
		`{"base64":""}`:                aRawString,
		`{"base64":"YQ==\n"}`:          aRawString,
		`{"base64":"YQ==","x":1}`:      aRawString,
		`{"base64":"YQ==","base64":1}`: "spec.working_dir.base64: given twice",
		`1`:                            "want a string, got a number",
		`{"base64":"YQBi"}`:            notOSText,
	} {
		_, err := DecodeValid([]byte(`{"name":"a","spec":{"type":"command","process_target":"a","working_dir":`+value+`}}`), Rules{})
		if err == nil || !strings.Contains(err.Error(), "spec.working_dir") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", value, err, want)
		}
	}
}

func TestHeadAndTailCutNoCharacter(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		text, most := rapid.String().Draw(rt, "text"), rapid.IntRange(0, 40).Draw(rt, "most")
		head, tail := Head(text, most), Tail(text, most)
		if !utf8.ValidString(head) || !strings.HasPrefix(text, head) || len(head) > most || len(head) <= most-utf8.UTFMax && len(head) < len(text) {
			rt.Errorf("Head(%q, %d) = %q", text, most, head)
		}
		if !utf8.ValidString(tail) || !strings.HasSuffix(text, tail) || len(tail) > most || len(tail) <= most-utf8.UTFMax && len(tail) < len(text) {
			rt.Errorf("Tail(%q, %d) = %q", text, most, tail)
		}
		if bytes := strings.Repeat("\x80", 50); most >= utf8.UTFMax && (len(Head(bytes, most)) != most || len(Tail(bytes, most)) != most) {
			rt.Errorf("what is no text is cut to %d and %d bytes, want %d", len(Head(bytes, most)), len(Tail(bytes, most)), most)
		}
	})
}
