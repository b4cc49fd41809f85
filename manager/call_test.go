package manager

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"

	consumers "weft/internal/consumer" // the pool has a type called consumer
)

func TestReadCall(t *testing.T) {
	t.Parallel()
	protocol := fmt.Sprint(consumers.Protocol)
	for name, test := range map[string]struct {
		text string
		want Call
		err  string // what it says, beside the call
	}{
		"a call":           {`{"protocol":` + protocol + `,"build":"v1","root":"/p","once":true}` + "\n", Call{Protocol: consumers.Protocol, Build: "v1", Root: "/p", Once: true}, ""},
		"of another build": {`{"protocol":` + protocol + `,"build":"v2","root":"/p"}`, Call{Protocol: consumers.Protocol, Build: "v2", Root: "/p"}, ""},
		"another protocol": {`{"protocol":99,"build":"v9","root":"/p"}`, Call{Protocol: 99, Build: "v9", Root: "/p"},
			`client has protocol 99 of build "v9", this program ` + protocol + ": use one version of weft"},
		"no protocol": {`{"build":"v0"}`, Call{Build: "v0"}, `client has protocol 0 of build "v0", this program ` + protocol + ": use one version of weft"},
		"no client":   {"", Call{}, "read call: EOF"},
		"half a call": {`{"protocol":`, Call{}, "read call: unexpected EOF"},
		"not JSON":    {"hello\n", Call{}, "read call: invalid character"},
	} {
		got, err := ReadCall(strings.NewReader(test.text))
		if !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: read %+v, want %+v", name, got, test.want)
		}
		if (err == nil) != (test.err == "") || err != nil && !strings.HasPrefix(err.Error(), test.err) {
			t.Errorf("%s: got error %v, want %q", name, err, test.err)
		}
	}
}

// callers are connections to clients.
type caller struct {
	bytes.Buffer
	gone, closed bool
}

func (c *caller) Write(p []byte) (int, error) {
	if c.gone {
		return 0, io.ErrClosedPipe
	}
	return c.Buffer.Write(p)
}

func (c *caller) Close() error {
	c.closed = true
	return nil
}

func TestAnswer(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"it works":           {nil, "{}\n"},
		"another one works":  {fmt.Errorf("serve: %w", ErrRunning), "{}\n"},
		"it does not":        {errors.New(`open "x": no`), `{"error":"open \"x\": no"}` + "\n"},
		"the client is gone": {nil, ""},
	} {
		c := &caller{gone: test.want == ""}
		Answer(c, test.err)
		if c.String() != test.want || !c.closed {
			t.Errorf("%s: answered %q, closed %v; want %q", name, c.String(), c.closed, test.want)
		}
	}
}
