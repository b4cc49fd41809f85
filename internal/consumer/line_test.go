package consumer

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseEntry(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]stdinMessage{
		"hello":                             {text: []byte("hello\n")},
		"hello\n":                           {text: []byte("hello\n")},
		"":                                  {text: []byte("\n")},
		"a\nb\n\n":                          {text: []byte("a\nb\n\n")},
		`{"stdin":"x"}`:                     {text: []byte("x")},
		` {"stdin":"x\n","close":true}`:     {text: []byte("x\n"), end: true},
		`{"close":true}`:                    {text: []byte{}, end: true},
		`{"interrupt":true}`:                {text: []byte{}, interrupt: true},
		`{}`:                                {text: []byte{}},
		`{"stdin":{"base64":"/wA="}}`:       {text: []byte("\xff\x00")},
		`{"stdin":{"base64":"!"}}`:          {text: []byte(`{"stdin":{"base64":"!"}}` + "\n")},
		`{"stdin":"x","encoding":"latin1"}`: {text: []byte(`{"stdin":"x","encoding":"latin1"}` + "\n")},
		`{"stdin":5}`:                       {text: []byte(`{"stdin":5}` + "\n")},
		`{"stdin":"x","other":1}`:           {text: []byte(`{"stdin":"x","other":1}` + "\n")},
		`{"stdin":"x"} {"stdin":"y"}`:       {text: []byte(`{"stdin":"x"} {"stdin":"y"}` + "\n")},
		`{"stdin":`:                         {text: []byte(`{"stdin":` + "\n")},
		`["stdin"]`:                         {text: []byte(`["stdin"]` + "\n")},
		`{"stdin":"x","close":true,"close":true}`: {text: []byte("x"), end: true},
	} {
		if diff := cmp.Diff(want, parseStdinMessage(body), cmp.AllowUnexported(stdinMessage{})); diff != "" {
			t.Errorf("%q (-want +got):\n%s", body, diff)
		}
	}
}
