//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weft"
	"weft/internal/waittest"
	"weft/taskspec"
)

// TestService kills the service while a task runs, and asks its next life for
// the result.
func TestService(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	begun, gate := make(chan struct{}), make(chan struct{})
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		begun <- struct{}{}
		<-gate
		fmt.Fprint(w, "12345")
	}))
	t.Cleanup(web.Close)
	s := build(t)

	base, first := s.start(t)
	counted := s.submit(t, base, "text.count", "", `{"text": "to be or not to be"}`, http.StatusAccepted)
	s.wait(t, counted)
	want := answer{Status: taskspec.StatusCompleted, Value: json.RawMessage(`{"be":2,"not":1,"or":1,"to":2}`)}
	if diff := cmp.Diff(want, s.get(t, base+counted)); diff != "" {
		t.Error(diff)
	}

	body := fmt.Sprintf(`{"url": %q}`, web.URL)
	task := s.submit(t, base, "page.fetch", "a1", body, http.StatusAccepted)
	<-begun
	if again := s.submit(t, base, "page.fetch", "a1", body, http.StatusAccepted); again != task {
		t.Errorf("the same key gave %s, then %s", task, again)
	}
	s.submit(t, base, "page.fetch", "a1", `{"url": "http://elsewhere"}`, http.StatusConflict)
	if got := s.get(t, base+task); got.Status != taskspec.StatusRunning {
		t.Errorf("the task is %s", got.Status)
	}
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = first.Wait() // killed

	base, second := s.start(t)
	close(gate)
	s.wait(t, task)
	want = answer{Status: taskspec.StatusCompleted, Value: json.RawMessage(`{"bytes":5}`)}
	if diff := cmp.Diff(want, s.get(t, base+task)); diff != "" {
		t.Error(diff)
	}
	s.submit(t, base, "page.fetch", "", `{"uri": "x"}`, http.StatusBadRequest)
	s.submit(t, base, "page.fetsh", "", `{}`, http.StatusNotFound)
	if err := second.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := second.Wait(); err != nil {
		t.Errorf("the service ended with %v", err)
	}
}

// TestServiceStops ends the service politely: a task that runs goes on.
func TestServiceStops(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	begun, gate := make(chan struct{}), make(chan struct{})
	web := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		begun <- struct{}{}
		<-gate
	}))
	t.Cleanup(web.Close)
	s := build(t)
	base, service := s.start(t)
	task := s.submit(t, base, "page.fetch", "", fmt.Sprintf(`{"url": %q}`, web.URL), http.StatusAccepted)
	<-begun
	if err := service.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := service.Wait(); err != nil {
		t.Errorf("the service ended with %v", err)
	}
	base, _ = s.start(t)
	close(gate)
	s.wait(t, task)
	if got := s.get(t, base+task); got.Status != taskspec.StatusCompleted {
		t.Errorf("got %+v", got)
	}
}

// A service is the program, built, and the folder of its project.
type service struct{ path, dir string }

func build(t *testing.T) service {
	t.Helper()
	s := service{filepath.Join(t.TempDir(), "service"), t.TempDir()}
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", s.path, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return s
}

// start starts the service and returns its address. It is killed with the test.
func (s service) start(t *testing.T) (base string, cmd *exec.Cmd) {
	t.Helper()
	// A file: a task that goes on without the service would keep a pipe open.
	log, err := os.CreateTemp(t.TempDir(), "log")
	if err != nil {
		t.Fatal(err)
	}
	cmd = exec.Command(s.path, "-address", "127.0.0.1:0", "-drain", "0s")
	cmd.Dir, cmd.Stderr = s.dir, log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := s.open(t).Manager().Stop(context.Background()); err != nil {
			t.Error(err)
		}
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
		said, err := os.ReadFile(log.Name())
		t.Logf("%s%v", said, errors.Join(err, log.Close()))
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("read the address: %v", err)
	}
	return strings.TrimSpace(line), cmd
}

// open is the test's own look at the project.
func (s service) open(t *testing.T) *weft.Project {
	t.Helper()
	p, err := weft.Open(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// submit returns where the task is.
func (s service) submit(t *testing.T, base, function, key, body string, want int) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/functions/"+function, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Idempotency-Key", key)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	said, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != want {
		t.Errorf("%s with %s: %s, want %d: %s", function, body, response.Status, want, said)
	}
	return response.Header.Get("Location")
}

func (s service) get(t *testing.T, url string) (a answer) {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(&a); err != nil {
		t.Fatal(err)
	}
	return a
}

// wait waits for the end of a task, and does nothing to bring it about.
func (s service) wait(t *testing.T, location string) {
	t.Helper()
	ctx := waittest.Context(t)
	task, err := s.open(t).Task(ctx, path.Base(location))
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range task.Events(ctx, true) {
		if err != nil {
			t.Fatal(err)
		}
	}
}
