package ledger

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weft/broker"
	"weft/broker/sqlite"
)

func TestParseControl(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 1000)
	for body, want := range map[string]Control{
		"STOP":                                  {Command: CommandStop},
		"stop":                                  {Command: CommandStop},
		" Kill\r\n":                             {Command: CommandKill},
		`{"command":"PING","request_id":"x 1"}`: {Command: CommandPing, RequestID: "x 1"},
		"\n{\"command\": \"status\"}\n":         {Command: CommandStatus},
		`{"command":"pause","by":"ann"}`:        {Command: "PAUSE", By: &Requester{Command: "ann"}},
		`{"command":"STOP","by":{"command":"weft stop","pid":7,"reason":"` + long + `"}}`: {
			Command: CommandStop, By: &Requester{Command: "weft stop", PID: 7, Reason: long[:200]}},
		`{"command":"STOP","by":[7]}`: {Command: CommandStop},
		`{"request_id":"x"}`:          {RequestID: "x"},
		"{}":                          {},
		"":                            {},
		"dance":                       {Command: "DANCE"},
		`"STOP"`:                      {Command: `"STOP"`},
		`{"command":5}`:               {Command: `{"COMMAND":5}`},
		`{"command":"STOP"`:           {Command: `{"COMMAND":"STOP"`},
	} {
		if diff := cmp.Diff(want, ParseControl(body)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", body, diff)
		}
	}
}

// object is a reply as readers of ctrl_out see it.
type object = map[string]any

// replies are what stands in a ctrl_out.
func (p *project) replies(queue string) (all []object) {
	p.Helper()
	for _, body := range p.bodies(queue) {
		var o object
		if err := json.Unmarshal([]byte(body), &o); err != nil {
			p.Fatalf("reply %s: %v", body, err)
		}
		all = append(all, o)
	}
	return all
}

func TestObeyTask(t *testing.T) {
	t.Parallel()
	const long = 2 << 20
	for name, test := range map[string]struct {
		messages []string
		orders   []Command
		replies  []object // without tid and timestamp, which are the same in each
		events   []string
	}{
		"nothing": {},
		"ping": {
			[]string{"ping", `{"command":"PING","request_id":"7"}`}, nil,
			[]object{{"command": "PING", "status": "ok", "message": "PONG"}, {"command": "PING", "status": "ok", "message": "PONG", "request_id": "7"}},
			[]string{"control_ping", "control_ping"},
		},
		"stop": {
			[]string{`{"command":"stop","request_id":"a"}`}, []Command{CommandStop},
			[]object{{"command": "STOP", "status": "ack", "request_id": "a"}}, []string{"control_stop"},
		},
		"kill after stop": {
			[]string{"STOP", "KILL"}, []Command{CommandStop, CommandKill},
			[]object{{"command": "STOP", "status": "ack"}, {"command": "KILL", "status": "ack"}}, []string{"control_stop", "control_kill"},
		},
		"stop after kill": {
			[]string{"KILL", "STOP"}, []Command{CommandKill, CommandStop},
			[]object{{"command": "KILL", "status": "ack"}, {"command": "STOP", "status": "ack"}}, []string{"control_kill", "control_stop"},
		},
		"status": {
			[]string{"STATUS"}, nil,
			[]object{{"command": "STATUS", "status": "ok", "task_status": "running", "paused": false, "should_stop": false, "activity": "working", "metrics": object{}}}, []string{"control_status"},
		},
		"status after stop": {
			[]string{"STOP", "STATUS"}, []Command{CommandStop},
			[]object{{"command": "STOP", "status": "ack"}, {"command": "STATUS", "status": "ok", "task_status": "running", "paused": false, "should_stop": true, "activity": "stopping", "metrics": object{}}},
			[]string{"control_stop", "control_status"},
		},
		"pause and resume": {
			[]string{"pause", `{"command":"RESUME","request_id":"p"}`}, []Command{CommandPause, CommandResume},
			[]object{{"command": "PAUSE", "status": "ack"}, {"command": "RESUME", "status": "ack", "request_id": "p"}},
			[]string{"control_pause", "control_resume"},
		},
		"pause": {
			[]string{"PAUSE"}, []Command{CommandPause},
			[]object{{"command": "PAUSE", "status": "ack"}}, []string{"control_pause"},
		},
		"unknown": {
			[]string{"dance", "", `{"command":"RESTART","request_id":"r"}`}, nil,
			[]object{{"command": "DANCE", "status": "unknown"}, {"command": "", "status": "unknown"}, {"command": "RESTART", "status": "unknown", "request_id": "r"}},
			[]string{"control_unknown", "control_unknown", "control_unknown"},
		},
		// Each of these is six bytes in JSON. Whatever somebody writes there, the
		// commands behind it are obeyed.
		"longer than a reply": {
			[]string{strings.Repeat("<", long), "STOP"}, []Command{CommandStop},
			[]object{{"command": "STOP", "status": "ack"}}, []string{"control_unknown", "control_stop"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
			tid := p.submit()
			p.run(tid)
			q := QueuesOf(tid)
			for _, m := range test.messages {
				p.write(q.ControlIn, m)
			}
			before := p.task(tid)
			var orders []Command
			obey := func() {
				p.update(func(tx *broker.Tx) (err error) { orders, err = ReadTaskControl(tx, tid, at); return err })
			}
			obey()
			if diff := cmp.Diff(test.orders, orders, bare); diff != "" {
				t.Errorf("orders (-want +got):\n%s", diff)
			}
			for _, r := range test.replies {
				r["tid"], r["timestamp"] = tid, float64(at.UnixNano())
			}
			if diff := cmp.Diff(test.replies, p.replies(q.ControlOut), bare); diff != "" {
				t.Errorf("replies (-want +got):\n%s", diff)
			}
			var events []string
			for _, e := range p.history(tid)[3:] {
				events = append(events, e.Event)
				if e.Status != "running" {
					t.Errorf("event %+v", e)
				}
			}
			if diff := cmp.Diff(test.events, events, bare); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			for _, c := range test.orders {
				switch {
				case c == CommandPause || c == CommandResume:
					before.Hold = c == CommandPause
				case before.Ordered != CommandKill: // nothing outranks it
					before.Ordered = c
				}
			}
			if diff := cmp.Diff(before, p.task(tid), bare); diff != "" {
				t.Errorf("record (-before and the order +after):\n%s", diff)
			}
			after := p.state()
			if obey(); orders != nil {
				t.Errorf("obeyed twice: %v", orders)
			}
			p.unchanged(after)
		})
	}
}

func TestObeyManager(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	m := p.arrive(consumer)
	obey := func() (orders []Command) {
		p.update(func(tx *broker.Tx) (err error) { orders, err = m.ReadControl(tx, at); return err })
		return orders
	}
	if got := obey(); got != nil {
		t.Errorf("orders %v of nobody", got)
	}
	for _, body := range []string{"PING", "dance", "pause", `{"command":"STATUS","request_id":"s"}`, "stop", "STATUS", "KILL"} {
		p.write(ManagerControl, body)
	}
	if diff := cmp.Diff([]Command{CommandStop, CommandKill}, obey(), bare); diff != "" {
		t.Errorf("orders (-want +got):\n%s", diff)
	}
	want := []object{
		{"command": "PING", "status": "ok", "message": "PONG"},
		{"command": "DANCE", "status": "unknown"},
		{"command": "PAUSE", "status": "unknown"},
		{"command": "STATUS", "status": "ok", "task_status": "running", "should_stop": false, "request_id": "s"},
		{"command": "STOP", "status": "ack"},
		{"command": "STATUS", "status": "ok", "task_status": "running", "should_stop": true},
		{"command": "KILL", "status": "ack"},
	}
	for _, r := range want {
		r["tid"], r["timestamp"] = m.TID, float64(at.UnixNano())
	}
	if diff := cmp.Diff(want, p.replies(ManagerReplies), bare); diff != "" {
		t.Errorf("replies (-want +got):\n%s", diff)
	}
	if left := p.bodies(ManagerControl); left != nil {
		t.Errorf("messages are left: %q", left)
	}
}
