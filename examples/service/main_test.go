//go:build linux

package main

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"weft"
)

func TestMain(m *testing.M) {
	register()
	weft.Init()
	os.Exit(m.Run())
}

// TestService gives the service work over HTTP, and stops it while a task runs:
// the next one has its result.
func TestService(t *testing.T) {
	project := t.TempDir()
	url, stop := start(t, project)
	tid := post(t, url, `{"text": "to be or not to be"}`)
	if got := get(t, url, tid); got != `{"be":2,"not":1,"or":1,"to":2}` {
		t.Errorf("got %s", got)
	}
	p, err := weft.Open(project)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	task, err := p.Submit(weft.Function("primes.count", Bound{1_000_000}))
	if err != nil {
		t.Fatal(err)
	}
	for s := (&weft.Status{}); s.Done == 0; {
		if s, err = task.Status(t.Context()); err != nil || s.Status.Terminal() {
			t.Fatalf("%+v, %v", s, err)
		}
	}
	stop()
	url, stop = start(t, project)
	defer stop()
	if got := get(t, url, task.TID()); got != "78498" {
		t.Errorf("got %s", got)
	}
}

// start starts the service and returns where it is, and what stops it.
func start(t *testing.T, project string) (url string, stop func()) {
	t.Helper()
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan error, 1)
	go func() { over <- run(ctx, address, project) }()
	for end := time.Now().Add(30 * time.Second); ; {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
			break
		}
		select {
		case err := <-over:
			t.Fatal(err)
		default:
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
	return "http://" + address, func() {
		cancel()
		if err := <-over; err != nil {
			t.Errorf("service ended with %v", err)
		}
		http.DefaultClient.CloseIdleConnections()
	}
}

func post(t *testing.T, url, body string) (tid string) {
	t.Helper()
	res, err := http.Post(url+"/words", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var v struct{ TID string }
	if err := json.NewDecoder(res.Body).Decode(&v); err != nil || res.StatusCode != http.StatusAccepted {
		t.Fatalf("%s: %v", res.Status, err)
	}
	return v.TID
}

func get(t *testing.T, url, tid string) string {
	t.Helper()
	res, err := http.Get(url + "/tasks/" + tid)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}
