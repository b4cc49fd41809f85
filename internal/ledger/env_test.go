package ledger

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weft/broker"
	"weft/broker/sqlite"
)

func TestEncodeEnv(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ env, want []string }{
		"nothing":          {nil, nil},
		"as it is":         {[]string{"B=2", "A=1", "A=2", "EMPTY=", "X=a=b"}, []string{"B=2", "A=1", "A=2", "EMPTY=", "X=a=b"}},
		"binary":           {[]string{"RAW=\xff\xfe\x01", "LINES=a\nb", "\xff=1"}, []string{"RAW=\xff\xfe\x01", "LINES=a\nb", "\xff=1"}},
		"of another task":  {[]string{"WEFT_TID=1", "A=1", "WEFT_EPOCH=2", "WEFT_MESSAGE_ID=3", "WEFT_TIDY=x"}, []string{"A=1", "WEFT_TIDY=x"}},
		"the user's own":   {[]string{"WEFT_CONTEXT=/p", "WEFT_MAX_TASKS=2"}, []string{"WEFT_CONTEXT=/p", "WEFT_MAX_TASKS=2"}},
		"without a value":  {[]string{"A", "B=1"}, []string{"A", "B=1"}},
		"only of the task": {[]string{"WEFT_TID=1"}, nil},
	} {
		before := append([]string{}, test.env...)
		if diff := cmp.Diff(test.want, DecodeEnv(EncodeEnv(test.env)), bare); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if len(before) > 0 && !cmp.Equal(before, test.env) {
			t.Errorf("%s: the environment given was changed to %q", name, test.env)
		}
	}
}

func TestOverlay(t *testing.T) {
	t.Parallel()
	env := []string{"A=1", "B=2", "A=3", "AB=4", "C"}
	for name, test := range map[string]struct {
		over map[string]string
		want []string
	}{
		"nothing":  {nil, env},
		"added":    {map[string]string{"Z": "", "D": "x=y"}, []string{"A=1", "B=2", "A=3", "AB=4", "C", "D=x=y", "Z="}},
		"replaced": {map[string]string{"A": "9", "C": "1"}, []string{"B=2", "AB=4", "A=9", "C=1"}},
	} {
		if diff := cmp.Diff(test.want, Overlay(env, test.over), bare); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if diff := cmp.Diff([]string{"A=1", "B=2", "A=3", "AB=4", "C"}, env, bare); diff != "" {
		t.Errorf("the environment given was changed:\n%s", diff)
	}
}

// Environments are kept once for each content, byte for byte.
func TestEnvironments(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	kept := func(env ...string) string {
		return p.task(p.submission(Submission{Spec: echo(), Item: "item", Dir: p.root, Env: EncodeEnv(env)})).Env
	}
	binary := []string{"RAW=\xff\xfe\x01", "LINES=a\nb", "A=1"}
	key := kept(binary...)
	if again := kept(append([]string{"WEFT_TID=1"}, binary...)...); again != key {
		t.Errorf("the same content has the keys %s and %s", key, again)
	}
	other := kept("A=2")
	none := kept()
	if other == key || none == key || none == other {
		t.Errorf("different contents share a key: %s, %s, %s", key, other, none)
	}
	if n := len(p.state().Records[envKind]); n != 3 {
		t.Errorf("%d environments are kept, want 3", n)
	}
	read := func(key string) (packed string, err error) {
		err = p.b.View(ctx, func(r broker.Reader) (err error) { packed, err = Environment(r, key); return err })
		return packed, err
	}
	for key, want := range map[string][]string{key: binary, other: {"A=2"}, none: nil} {
		packed, err := read(key)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, DecodeEnv(packed), bare); diff != "" {
			t.Errorf("environment (-want +got):\n%s", diff)
		}
	}
	if _, err := read("unknown"); !errors.Is(err, broker.ErrNotFound) {
		t.Errorf("got error %v, want %v", err, broker.ErrNotFound)
	}
}
