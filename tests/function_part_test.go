//go:build linux

package weft_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"weft"
)

// programVariable makes this program one with functions; so its clients, managers,
// consumers and workers are in a project that has it in its environment.
const programVariable = "WEFT_TEST_HOST"

// registerFunctions registers functions that behave and those that do not.
func registerFunctions() {
	weft.Register("add", func(_ context.Context, in struct {
		A int `json:"a"`
		B int `json:"b,omitempty"`
	}) (int, error) {
		return in.A + in.B, nil
	}, weft.FunctionOptions{Description: "Adds numbers."})
	weft.Register("end", endSomehow)
	weft.Register("blocked", callBlocked)
	weft.Register("nested", callAgain)
	weft.Register("parent", callInside)
	weft.RegisterArgs("pid", func(context.Context, []any, map[string]any) (any, error) { return os.Getpid(), nil })
}

// served is the project that this process serves, for the function "parent".
var served atomic.Pointer[weft.Project]

// callInside waits for another function of its program, and checks whose child that was.
func callInside(ctx context.Context, n int) (string, error) {
	child, err := served.Load().SubmitContext(ctx, inline("add", "a", n))
	if err != nil {
		return "", err
	}
	res, err := child.Result(ctx)
	if err != nil {
		return "", err
	}
	if res.ParentTID != weft.TID(ctx) {
		return "", fmt.Errorf("it has the parent %q", res.ParentTID)
	}
	return string(res.Output), nil
}

// callAgain calls itself so often, and then another function.
func callAgain(ctx context.Context, depth int) (int, error) {
	p, err := weft.Open(os.Getenv("WEFT_CONTEXT"))
	if err != nil {
		return 0, err
	}
	defer p.Close()
	spec := weft.Function("nested", depth-1)
	if depth == 0 {
		spec = function("add", "a", 40, "b", 2)
	}
	res, err := p.RunContext(ctx, spec)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(string(res.Output))
}

// callBlocked tells that it has begun and who it is, waits for proceed, and returns
// the token.
func callBlocked(ctx context.Context, in struct{ Tell, Proceed, Token string }) (string, error) {
	if err := writeLine(in.Tell, weft.TID(ctx)); err != nil {
		return "", err
	}
	f, err := os.Open(in.Proceed)
	if err != nil {
		return "", err
	}
	defer f.Close()
	_, err = f.Read(make([]byte, 1))
	return in.Token, err
}

func writeLine(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = fmt.Fprintln(f, text)
	return err
}

// endSomehow ends in the way that is asked for, after it has told that it has
// begun, if it is to.
func endSomehow(ctx context.Context, in struct {
	How  string
	Tell string `json:",omitempty"`
}) (any, error) {
	if in.Tell != "" {
		if err := writeLine(in.Tell, weft.TID(ctx)); err != nil {
			return nil, err
		}
	}
	fmt.Println("printed")
	switch in.How {
	case "value":
		return map[string]string{"dir": dirNow(), "tid": os.Getenv("WEFT_TID"), "x": os.Getenv("X")}, nil
	case "error":
		return nil, errors.New("no image\nat all")
	case "panic":
		panic("boom")
	case "panic elsewhere":
		go panic("boom")
	case "goexit":
		runtime.Goexit()
	case "exit":
		os.Exit(3)
	case "exit 0":
		os.Exit(0)
	case "signal":
		return nil, syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "memory":
		all := make([][]byte, 0, 50) // more than it may have, and less than hurts
		for len(all) < cap(all) {
			block := make([]byte, 8<<20)
			for i := 0; i < len(block); i += 4096 {
				block[i] = 1
			}
			all = append(all, block)
			<-time.After(time.Millisecond)
		}
		<-ctx.Done()
		runtime.KeepAlive(all)
	case "obey":
		<-ctx.Done()
		fmt.Println(context.Cause(ctx))
		return nil, ctx.Err()
	case "leak":
		go func() { select {} }()
		// A child that would outlive it.
		return "left", exec.Command("/bin/sh", "-c", "sleep 1000 &").Run()
	case "large":
		return strings.Repeat("x", 12<<20), nil
	case "chan":
		return make(chan int), nil
	case "nan":
		return math.NaN(), nil
	case "progress":
		for i := range int64(1000) {
			weft.Progress(ctx, i+1, 1000, "stones")
		}
		return nil, nil
	}
	select {} // block for ever
}

func dirNow() string {
	dir, _ := os.Getwd()
	return dir
}
