// Service is an HTTP service whose work are durable tasks: what it has accepted
// is done, also when it is stopped, replaced or killed meanwhile.
//
//	$ go build -o service ./examples/service && ./service &
//	$ curl -d '{"text": "to be or not to be"}' localhost:8080/words
//	{"tid":"1795320014431977472"}
//	$ curl localhost:8080/tasks/1795320014431977472
//	{"to":2,"be":2,"or":1,"not":1}
//	$ weft run --function primes.count --kw below=1000000
//	78498
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"weft"
	"weft/taskspec"
)

// Text is what words.count takes.
type Text struct {
	Text string `json:"text" jsonschema:"the text whose words are counted"`
}

// Bound is what primes.count takes.
type Bound struct {
	Below int `json:"below" jsonschema:"count the primes below this number"`
}

func main() {
	register()
	weft.Init() // a process that runs one of the functions ends in here
	address := flag.String("listen", "localhost:8080", "the address to serve")
	project := flag.String("project", ".", "the folder that holds the project")
	flag.Parse()
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if err := run(ctx, *address, *project); err != nil {
		log.Fatal(err)
	}
}

// register makes the functions known. The arguments of a call are the fields of
// the struct, checked before a task is accepted.
func register() {
	weft.Register("words.count", countWords, weft.WithDescription("Counts the words of a text."))
	weft.Register("primes.count", countPrimes, weft.WithDescription("Counts prime numbers, slowly."))
}

func countWords(_ context.Context, in Text) (map[string]int, error) {
	words := make(map[string]int)
	for word := range strings.FieldsSeq(in.Text) {
		words[word]++
	}
	return words, nil
}

func countPrimes(ctx context.Context, in Bound) (int, error) {
	weft.Logger(ctx).Info("count", "tid", weft.TID(ctx), "below", in.Below)
	count := 0
	for n := 2; n < in.Below; n++ {
		if n%1000 == 0 {
			weft.Progress(ctx, int64(n), int64(in.Below), "")
			if ctx.Err() != nil { // stopped, or out of time: the cause says which
				return 0, context.Cause(ctx)
			}
		}
		if isPrime(n) {
			count++
		}
	}
	return count, nil
}

func isPrime(n int) bool {
	for d := 2; d*d <= n; d++ {
		if n%d == 0 {
			return false
		}
	}
	return true
}

// run serves until ctx ends. Then it finishes the requests that it has; the tasks
// that run go on by themselves, and the next service has their results.
func run(ctx context.Context, address, project string) error {
	p, err := weft.Open(project)
	if err != nil {
		return err
	}
	defer p.Close()
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	managed := make(chan error, 1)
	go func() {
		// The service is the project's manager, also if a shell has started one.
		err := p.Serve(ctx, weft.ServeOptions{Replace: true, Log: slog.Default()})
		cancel()
		managed <- err
	}()
	server := &http.Server{Handler: handler(p), ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() {
		served <- server.Serve(l)
		cancel()
	}()
	<-ctx.Done()
	last, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	err = server.Shutdown(last)
	if e := <-served; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	if e := <-managed; !errors.Is(e, context.Canceled) {
		err = errors.Join(err, e)
	}
	return err
}

// handler accepts texts and tells what has become of them.
func handler(p *weft.Context) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /words", func(w http.ResponseWriter, r *http.Request) {
		var in Text
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&in); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		t, err := p.SubmitContext(r.Context(), weft.Function("words.count", in))
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		// The task is durable now.
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprintf(w, "{\"tid\":%q}\n", t.TID())
	})
	mux.HandleFunc("GET /tasks/{tid}", func(w http.ResponseWriter, r *http.Request) {
		t, err := p.Task(r.Context(), r.PathValue("tid"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusNotFound)
			return
		}
		res, err := t.Peek(r.Context()) // waits for the end, or until the client goes
		switch {
		case err != nil:
			http.Error(w, err.Error(), http.StatusInternalServerError)
		case res.Status.Status != taskspec.StatusCompleted:
			http.Error(w, res.Error, http.StatusInternalServerError)
		default:
			fmt.Fprintf(w, "%s\n", res.Output)
		}
	})
	return mux
}
