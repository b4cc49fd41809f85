// Host is a program with functions, for the scripts: those that behave and those
// that do not. With arguments it does more than to let the project know it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"math"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"weft"
)

type resize struct {
	Path  string `json:"path" jsonschema:"the image"`
	Width int    `json:"width" jsonschema:"in pixels"`
	Crop  bool   `json:"crop,omitempty"`
}

// extra is the name of one more function, which a later version of the program
// has. It is set when that is built.
var extra string

func main() {
	if extra != "" {
		weft.Register(extra, func(context.Context, struct{}) (string, error) { return "later", nil })
	}
	weft.Register("images.resize", func(ctx context.Context, in resize) (string, error) {
		return fmt.Sprintf("%s@%d", in.Path, in.Width), nil
	}, weft.FunctionOptions{Description: "Makes an image smaller."})
	weft.RegisterArgs("echo", func(_ context.Context, args []any, kwargs map[string]any) (any, error) {
		return map[string]any{"args": args, "kwargs": kwargs}, nil
	})
	weft.Register("about", func(ctx context.Context, _ struct{}) (map[string]string, error) {
		dir, err := os.Getwd()
		fmt.Println("to stdout")
		weft.Logger(ctx).Info("logged")
		return map[string]string{"tid": weft.TID(ctx), "env": os.Getenv("WEFT_TID"), "dir": dir, "x": os.Getenv("X")}, err
	})
	weft.Register("progress", func(ctx context.Context, n int64) (int64, error) {
		for i := range n {
			weft.Progress(ctx, i+1, n, "stones")
		}
		return n, nil
	})
	weft.Register("touch", func(_ context.Context, path string) (map[string]any, error) {
		niceness, err := os.ReadFile("/proc/self/stat")
		if err == nil {
			err = os.WriteFile(path, nil, 0o666)
		}
		return map[string]any{"nice": strings.Fields(string(niceness))[18]}, err
	})
	weft.Register("end", end)
	weft.Init()
	p, err := weft.Open(".")
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	if len(os.Args) > 1 {
		if os.Args[1] == "serve" {
			stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
			defer cancel()
			if err := p.Serve(context.Background(), weft.ServeOptions{Stop: stop.Done()}); err != nil {
				log.Fatal(err)
			}
			return
		}
		if os.Args[1] == "vanish" { // as a program that go run has built
			if err := os.Remove(os.Args[0]); err != nil {
				log.Fatal(err)
			}
			os.Args[1] = "about"
		}
		res, err := p.Run(weft.Function(os.Args[1]))
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(string(res.Output))
	}
}

// end ends in the way that is asked for.
func end(ctx context.Context, how string) (any, error) {
	switch how {
	case "error":
		return nil, errors.New("no image")
	case "obey":
		<-ctx.Done()
		return nil, ctx.Err()
	case "panic":
		panic("boom")
	case "panic elsewhere":
		go panic("boom")
		select {}
	case "exit":
		fmt.Fprintln(os.Stderr, "bye")
		os.Exit(3)
	case "memory":
		var all [][]byte
		for {
			block := make([]byte, 10<<20)
			for i := 0; i < len(block); i += 4096 {
				block[i] = 1
			}
			all = append(all, block)
			time.Sleep(time.Millisecond * time.Duration(len(all)/1000))
		}
	case "block":
		select {}
	case "wait":
		<-ctx.Done()
		return nil, context.Cause(ctx)
	case "leak":
		go func() { select {} }()
		return "left", nil
	case "large":
		return strings.Repeat("x", 50<<20), nil
	case "chan":
		return make(chan int), nil
	case "nan":
		return math.NaN(), nil
	}
	return json.RawMessage(`{"how":"unknown"}`), nil
}
