package taskspec

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCommandItem(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		body string
		want Item
	}{
		"empty object":   {`{}`, Item{}},
		"space in it":    {" {\n} \r\n", Item{}},
		"stdin":          {`{"stdin":"a\nb"}`, Item{Stdin: "a\nb"}},
		"stdin of bytes": {`{"stdin":"a\u0000b"}`, Item{Stdin: "a\x00b"}},
		"args":           {`{"args":["a b","",1.50,-2,9007199254740993]}`, Item{Args: []string{"a b", "", "1.50", "-2", "9007199254740993"}}},
		"no args":        {`{"args":[]}`, Item{Args: []string{}}},
		"both":           {"\t{ \"args\" : [ \"a\" , 1 ] ,\n \"stdin\" : \"s\" }\n", Item{Stdin: "s", Args: []string{"a", "1"}}},
		"escaped key":    {`{"\u0073tdin":"s","ar\u0067s":[1]}`, Item{Stdin: "s", Args: []string{"1"}}},
		"raw":            {`{"stdin":{"base64":"AP8="},"args":[{"base64":"Yf8="}]}`, Item{Stdin: "\x00\xff", Args: []string{"a\xff"}}},
		"pair":           {`{"stdin":"\ud83d\ude00"}`, Item{Stdin: "😀"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := CommandItem(test.body)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("CommandItem(%q) differs (-want +got):\n%s", test.body, diff)
			}
		})
	}
}

// Whatever is no item is the command's input, byte for byte.
func TestCommandItemIsText(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		"", " ", "hello", "hello\n", "{", "}", "{ hello }", "null", "true", "1", `"stdin"`, `["a"]`, "[]",
		`{"stdin":"a"`, `{"stdin":"a"}}`, `{"stdin":"a"} x`, "{}{}", "{}\n{}\n", `{"stdin":"a",}`, `{'stdin':'a'}`,
		`{"name":"a"}`, `{"stdin":"a","name":"b"}`, `{"args":5,"kwargs":{}}`, `{"args":[{"a":[1]}],"x":1}`,
		`{"Stdin":"a"}`, `{"ARGS":[]}`, `{"":1}`, `{"s":1}`, "\ufeff{}", "{\x00}", "\u00a0{}", "a\x00\xff", "{\"stdin\":\"\xff\"}",
		`{"a":` + strings.Repeat("[", 20_000),
	} {
		got, err := CommandItem(body)
		if diff := cmp.Diff(Item{Stdin: body}, got); err != nil || diff != "" {
			t.Errorf("CommandItem(%.50q): %v (-want +got):\n%s", body, err, diff)
		}
	}
}

func TestCommandItemRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ body, want string }{
		"number as stdin":     {`{"stdin":1}`, "stdin: want a string or {\"base64\": \"…\"}"},
		"null as stdin":       {`{"stdin":null}`, "stdin: want a string or {\"base64\": \"…\"}"},
		"object as stdin":     {`{"stdin":{"stdin":"a"}}`, "stdin: want a string or {\"base64\": \"…\"}"},
		"text as args":        {`{"args":"a"}`, "args: want a list of strings and numbers"},
		"object as args":      {`{"args":{"a":1}}`, "args: want a list of strings and numbers"},
		"null as args":        {`{"args":null}`, "args: want a list of strings and numbers"},
		"other args":          {`{"args":["a",true,null,["b"],{}]}`, "args[1]: want a string or a number; args[2]: want a string or a number; args[3]: want a string or a number; args[4]: want a string or a number"},
		"NUL in args":         {`{"args":["a\u0000"]}`, "args[0]: must not hold NUL characters"},
		"half a pair":         {`{"stdin":"\udcff"}`, "stdin: holds half of a UTF-16 pair, which is no text"},
		"half a pair in args": {`{"args":["\ud800x"]}`, "args[0]: holds half of a UTF-16 pair, which is no text"},
		"twice":               {`{"stdin":"a","stdin":"b"}`, "stdin: given twice"},
		"twice by escape":     {`{"args":[],"\u0061rgs":[]}`, "args: given twice"},
		"all at once":         {`{"args":1,"stdin":2}`, "stdin: want a string or {\"base64\": \"…\"}; args: want a list of strings and numbers"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			item, err := CommandItem(test.body)
			if text(err) != "read work item: "+test.want {
				t.Errorf("CommandItem(%s)\n got %v\nwant read work item: %s", test.body, err, test.want)
			}
			if _, ok := errors.AsType[*ValidationError](err); !ok {
				t.Errorf("error is %#v, want a *ValidationError in it", err)
			}
			if !cmp.Equal(item, Item{}) {
				t.Errorf("an item came with the error: %v", item)
			}
		})
	}
}
