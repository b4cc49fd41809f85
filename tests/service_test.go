//go:build linux

package weft_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"weft"
	"weft/broker"
	"weft/internal/ledger"
	"weft/internal/proc"
	"weft/internal/waittest"
	"weft/taskspec"
)

// TestServiceKilled kills a service, its consumer and its manager, alone and
// together: there are never two instances, and there always is one again.
func TestServiceKilled(t *testing.T) { killService(t, 20) }

// TestLongServiceKilled is the same for longer.
func TestLongServiceKilled(t *testing.T) {
	waittest.NeedLong(t)
	killService(t, 200)
}

// partService is the command of a service that must be alone.
const partService = "service"

// playService takes a lock that no other process must have, tells that it is up, or
// that it is not alone, and stays until it is told to stop.
func playService(tell, lock string) error {
	f, err := os.OpenFile(lock, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	word := "up"
	if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		word = "double"
	}
	pipe, err := os.OpenFile(tell, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(pipe, word, os.Getenv(ledger.EnvTID), os.Getpid()); err != nil {
		return err
	}
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	<-stop.Done()
	return nil
}

// A victim is a service that is killed again and again.
type victim struct {
	*project
	tell    *waittest.FIFO
	tid     string
	process proc.Identity
	ups     int
}

// victim declares a service, and starts nothing. Its backoff is so short that it
// stays short when it has doubled many times.
func (p *project) victim() *victim {
	p.t.Helper()
	v := &victim{project: p, tell: p.fifo("tell")}
	self, err := os.Executable()
	if err != nil {
		p.t.Fatal(err)
	}
	spec := fmt.Sprintf(`{"name":"lonely","spec":{"type":"command","process_target":%q,"args":[%q,%q],"env":{%q:%q}}}`,
		self, v.tell.Path, filepath.Join(p.dir, "lock"), partVariable, partService)
	if err := p.open().Specs().Create("lonely", strings.NewReader(spec)); err != nil {
		p.t.Fatal(err)
	}
	p.declare("lonely", `{"name":"lonely","target":{"type":"task","name":"lonely"},"policy":{"mode":"ensure","backoff_seconds":1e-30}}`)
	return v
}

// declare writes a manifest.
func (p *project) declare(name, manifest string) {
	p.t.Helper()
	p.open()
	folder := filepath.Join(p.dir, ledger.Dir, "autostart")
	err := os.MkdirAll(folder, 0o700)
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, name+".json"), []byte(manifest), 0o600)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// up waits until the service is there.
func (v *victim) up() {
	v.t.Helper()
	words := strings.Fields(v.tell.Read())
	if len(words) != 3 || words[0] != "up" || words[1] == v.tid {
		v.t.Fatalf("the service says %q, after task %s", words, v.tid)
	}
	pid, err := strconv.Atoi(words[2])
	if err != nil {
		v.t.Fatal(err)
	}
	if v.process, err = proc.Of(pid); err != nil {
		v.t.Fatal(err)
	}
	v.tid = words[1]
	v.ups++
}

// adopted waits until the manager knows the service that an earlier one has left.
func (v *victim) adopted() {
	v.t.Helper()
	leader := v.currentManager().TID
	w, err := v.open().Broker().Listen(ledger.Services)
	if err != nil {
		v.t.Fatal(err)
	}
	defer w.Close()
	for {
		var s *ledger.Service
		err := v.open().Broker().View(v.ctx, func(r broker.Reader) (err error) {
			s, _, err = ledger.FindService(r, "lonely")
			return err
		})
		if err == nil && s.TID != v.tid {
			v.t.Fatalf("task %s has taken the place of %s, which lives", s.TID, v.tid)
		}
		if err == nil && s.Manager == leader {
			return
		}
		if err == nil {
			err = w.Wait(v.ctx)
		}
		if err != nil {
			v.t.Fatalf("wait for manager %s: %v", leader, err)
		}
	}
}

func killService(t *testing.T, kills int) {
	t.Parallel()
	p := newProject(t, "WEFT_DURABILITY=normal")
	if kills > 20 {
		p.patient(10 * time.Minute)
	}
	random := rand.New(rand.NewPCG(seed(t), 0))
	v := p.victim()
	u := p.user()
	lead := func() {
		t.Helper()
		u.call(call{Do: "manager"})
		u.line()
	}
	lead()
	v.up()
	var away []time.Duration
	killed := make(map[string]int)
	for range kills {
		what := []string{"service", "consumer", "manager", "service and manager", "consumer and manager"}[random.IntN(5)]
		killed[what]++
		began := time.Now()
		if strings.Contains(what, "service") {
			p.kill(v.process)
		}
		if strings.Contains(what, "consumer") {
			p.kill(p.task(v.tid).Consumer)
		}
		if strings.Contains(what, "manager") {
			// It is hit at any time of what it does about the service.
			for range random.IntN(150) {
				p.currentManager()
			}
			p.kill(p.manager())
			lead()
		}
		if what == "manager" {
			v.adopted()
			continue
		}
		v.up()
		away = append(away, time.Since(began))
	}
	if !v.process.Alive() {
		t.Error("the service is not there")
	}
	if _, err := p.open().Manager().Stop(p.ctx); err != nil {
		t.Fatal(err)
	}
	if v.process.Alive() {
		t.Error("the service has outlived a manager that was stopped")
	}
	if n := len(p.tasks()); n != v.ups {
		t.Errorf("%d tasks for %d instances", n, v.ups)
	}
	slices.Sort(away)
	t.Logf("%d kills: %v; %d instances, never two; away for %v in the middle, %v at most", kills, killed, v.ups, away[len(away)/2].Round(time.Millisecond), away[len(away)-1].Round(time.Millisecond))
}

// TestServiceSwitches: a manager starts services unless its caller, else the
// environment, else the project says otherwise; and the program that serves can
// say so too.
func TestServiceSwitches(t *testing.T) {
	on, off := true, false
	for _, test := range []struct {
		name          string
		project       bool
		variable      string
		flag, serving *bool
		want          bool
	}{
		{"by default", true, "", nil, nil, true},
		{"not in this project", false, "", nil, nil, false},
		{"the variable wins", false, "true", nil, nil, true},
		{"the variable forbids", true, "false", nil, nil, false},
		{"the flag wins", false, "false", &on, nil, true},
		{"the flag forbids", true, "true", &off, nil, false},
		{"the program wins", false, "false", &off, &on, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("WEFT_AUTOSTART_TASKS", test.variable)
			dir := t.TempDir()
			var opts weft.Options
			if test.flag != nil {
				opts.Autostart = test.flag
			}
			c, err := weft.Create(dir, test.project, opts)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if err := c.Specs().Create("web", strings.NewReader(`{"name":"web","spec":{"type":"command","process_target":"true"}}`)); err != nil {
				t.Fatal(err)
			}
			p := &project{t: t, ctx: t.Context(), dir: dir, project: c}
			p.declare("web", `{"name":"web","target":{"type":"task","name":"web"}}`)
			stop, ready := make(chan struct{}), make(chan struct{}, 9)
			served := make(chan error, 1)
			go func() {
				served <- c.Serve(p.ctx, weft.ServeOptions{Autostart: test.serving, Stop: stop, Ready: func() { ready <- struct{}{} }})
			}()
			<-ready
			if _, err := c.RunContext(p.ctx, shell("exit 0")); err != nil { // by then it has looked
				t.Fatal(err)
			}
			services, err := c.Services(p.ctx)
			if err != nil || len(services) != 1 || (services[0].TID != "") != test.want {
				t.Errorf("services %+v, %v", services, err)
			}
			if !test.want && services[0].Problem != "the manager was told to start no services" {
				t.Errorf("the problem is %q", services[0].Problem)
			}
			close(stop)
			if err := <-served; err != nil {
				t.Error(err)
			}
		})
	}
}

// TestServiceStatus: what is wrong with each manifest is one line.
func TestServiceStatus(t *testing.T) {
	t.Parallel()
	c, err := weft.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	p := &project{t: t, ctx: t.Context(), dir: c.Root(), project: c}
	for name, spec := range map[string]string{
		"keyed": `{"name":"k","spec":{"type":"command","process_target":"true","key":"k"}}`,
		"wired": `{"name":"w","spec":{"type":"command","process_target":"true"},"io":{"inputs":{"inbox":"raw"}}}`,
		"call":  `{"name":"c","spec":{"type":"function","function_target":"nobody.has"}}`,
		"plain": `{"name":"p","spec":{"type":"command","process_target":"true"}}`,
	} {
		if err := c.Specs().Create(name, strings.NewReader(spec)); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]string{
		"a": "target.name: spec nix: no such spec",
		"b": "name: a.json has it already",
		"c": "target.name: pipeline plain: no such spec",
		"d": "not valid JSON: unexpected end of JSON input (byte 1)",
		"e": "spec keyed: spec.key: does not go with a service, which is started again",
		"f": "defaults.input: spec wired takes its work item from a queue",
		"g": "spec call: no such function: nobody.has: no program that registers it has opened this project yet",
		"h": `spec plain with the defaults: spec.keyword_args: only for a function`,
		"i": "no manager is running",
	}
	for name, manifest := range map[string]string{
		"a": `{"name":"a","target":{"type":"task","name":"nix"}}`,
		"b": `{"name":"a","target":{"type":"task","name":"plain"}}`,
		"c": `{"name":"c","target":{"type":"pipeline","name":"plain"}}`,
		"d": `{`,
		"e": `{"name":"e","target":{"type":"task","name":"keyed"}}`,
		"f": `{"name":"f","target":{"type":"task","name":"wired"},"defaults":{"input":"x"}}`,
		"g": `{"name":"g","target":{"type":"task","name":"call"}}`,
		"h": `{"name":"h","target":{"type":"task","name":"plain"},"defaults":{"keyword_args":{"a":1}}}`,
		"i": `{"name":"i","target":{"type":"task","name":"plain"},"policy":{"mode":"ensure"}}`,
	} {
		p.declare(name, manifest)
	}
	services, err := c.Services(p.ctx)
	if err != nil || len(services) != len(want) {
		t.Fatalf("services %+v, %v", services, err)
	}
	for _, s := range services {
		if name := strings.TrimSuffix(s.File, ".json"); s.Problem != want[name] || s.Status != taskspec.Status("") {
			t.Errorf("%s: %q, want %q", s.File, s.Problem, want[name])
		}
	}
}
