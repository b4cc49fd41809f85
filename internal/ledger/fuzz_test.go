package ledger

import (
	"encoding/json"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"weft/taskspec"
)

// FuzzParseControl checks that a control message means what its two forms say,
// and that a message which is neither stands for itself.
func FuzzParseControl(f *testing.F) {
	f.Add("STOP")
	f.Add(`{"command":"ping","request_id":"x"}`)
	f.Fuzz(func(t *testing.T, body string) {
		c := ParseControl(body)
		if string(c.Command) != strings.ToUpper(string(c.Command)) {
			t.Errorf("command %q is not in capitals", c.Command)
		}
		var o struct {
			Command   string `json:"command"`
			RequestID string `json:"request_id"`
		}
		text := strings.TrimSpace(body)
		want := Control{Command: Command(strings.ToUpper(text))}
		if strings.HasPrefix(text, "{") && json.Unmarshal([]byte(text), &o) == nil {
			want = Control{Command: Command(strings.ToUpper(o.Command)), RequestID: o.RequestID}
		}
		c.By = nil // any process may say anything there
		if c != want {
			t.Errorf("%q is %+v, want %+v", body, c, want)
		}
		if a := answer(c, "1", at); a.RequestID != c.RequestID || (a.Status == "unknown") != (eventControl(c.Command) == "control_unknown") {
			t.Errorf("%+v is answered with %+v", c, a)
		}
	})
}

// FuzzDecodeRequest checks that a request is refused or can be run: its spec is
// valid, and it says the same when it is written down as a client does.
func FuzzDecodeRequest(f *testing.F) {
	spec := string(must(json.Marshal(echo())))
	f.Add(spec)
	f.Add(`{"taskspec":` + spec + `,"inbox_message":{"stdin":"a"}}`)
	f.Add(`{"pipeline":{"name":"p","stages":[{"taskspec":` + spec + `},{"name":"b","taskspec":` + spec + `,"input":"x"}]}}`)
	f.Fuzz(func(t *testing.T, body string) {
		w, err := decodeRequest(body)
		s, plan, item := w.spec, w.plan, w.item
		if err != nil {
			if s != nil || plan != nil || item != "" {
				t.Errorf("refused with %v and returned %v, %q", err, s, item)
			}
			return
		}
		if plan != nil {
			checkAccepted(t, s.Name, plan, item)
			return
		}
		if err := s.ValidateTemplate(); err != nil {
			t.Errorf("accepted an invalid spec: %v", err)
		}
		if got := s.Unsupported(); len(got) > 0 {
			t.Errorf("accepted what is not supported: %v", got)
		}
		if !utf8.ValidString(body) {
			return // no message is so; who calls Prepare has read one
		}
		written := must(json.Marshal(request{Spec: must(json.Marshal(s)), Item: must(json.Marshal(item))}))
		again, err := decodeRequest(string(written))
		if err != nil || again.item != item || !cmp.Equal(s, again.spec) {
			t.Errorf("%s came back as %+v, %v; want %+v, %q", written, again, err, s, item)
		}
		j := &Job{Assignment: Assignment{TID: "1763740800000000000", Name: s.Name}, item: item}
		if j.refused = j.resolve(w, "/p"); j.refused != "" {
			return // a work item with the right keys and the wrong values
		}
		isCommand := s.Type == taskspec.KindCommand
		if isCommand != (len(j.Argv) > 0) || isCommand && j.Argv[0] != s.ProcessTarget || !strings.HasPrefix(j.Dir, "/") {
			t.Errorf("job is %+v", j)
		}
		retried := must(json.Marshal(request{Spec: j.Spec, Item: must(json.Marshal(item))}))
		if again, err := decodeRequest(string(retried)); err != nil || again.item != item {
			t.Errorf("cannot be run again: %s: %+v, %v", retried, again, err)
		}
		if _, err := (&Task{TID: j.TID, Spec: j.Spec}).redacted(); err != nil {
			t.Error(err)
		}
		if _, err := (&Task{TID: j.TID, Spec: j.Spec, Root: "/p"}).specAt(Event{}); err != nil {
			t.Error(err)
		}
	})
}

// checkAccepted checks a pipeline that was accepted: all its stages are valid, and it
// says the same when it is written down as a client does.
func checkAccepted(t *testing.T, name string, plan *Plan, item string) {
	t.Helper()
	template := taskspec.Rules{Template: true, Cores: runtime.NumCPU(), Supported: true}
	for _, s := range plan.Stages {
		spec, err := s.decode()
		if err != nil {
			t.Fatal(err)
		}
		if err := spec.ValidateFor(template); err != nil || len(spec.StageProblems()) > 0 || s.TID != "" {
			t.Errorf("accepted an invalid stage: %v, %v, %q", err, spec.StageProblems(), s.TID)
		}
	}
	written := must(json.Marshal(request{Pipeline: &pipelineRequest{name, *plan}, Item: must(json.Marshal(item))}))
	again, err := decodeRequest(string(written))
	if err != nil || utf8.ValidString(item) && again.item != item || len(again.plan.Stages) != len(plan.Stages) {
		t.Errorf("%s came back as %+v, %v; want %+v, %q", written, again, err, plan, item)
	}
}
