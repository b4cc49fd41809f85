// Service is an HTTP server whose slow work is done by durable tasks. It is its
// project's manager as well, so it is all that has to run:
//
//	curl -i -H 'Idempotency-Key: a1' -d '{"url": "https://go.dev"}' localhost:8080/functions/page.fetch
//	curl localhost:8080/tasks/1795297327271673856
//
// Kill it whenever you like: a task that runs goes on, and the next life of the
// service knows how it ended.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"weft"
)

func main() {
	weft.Register("page.fetch", fetch, weft.FunctionOptions{Description: "Says how many bytes the page at a URL has."})
	weft.Register("text.count", count, weft.FunctionOptions{Description: "Counts the words of a text."})
	weft.Init() // after the functions: a process that is to run one gets no further
	address := flag.String("address", "localhost:8080", "serve HTTP at `host:port`")
	drain := flag.Duration("drain", 10*time.Second, "how long running tasks have when the service is told to end")
	flag.Parse()
	p, err := weft.Open(".")
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()

	var ending sync.WaitGroup
	defer ending.Wait()
	ending.Go(func() {
		if err := p.Serve(ctx, weft.ServeOptions{Log: slog.Default(), Drain: *drain}); ctx.Err() == nil {
			log.Printf("manager: %v", err) // tasks get another one when they need it
		}
	})
	server := &http.Server{Handler: routes(p)}
	ending.Go(func() {
		<-ctx.Done()
		_ = server.Shutdown(context.Background()) // what is asked is answered; tasks that run go on by themselves
	})
	l, err := net.Listen("tcp", *address)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("http://%s\n", l.Addr())
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
}
