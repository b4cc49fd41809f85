package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"golang.org/x/sys/unix"

	"weft"
)

func now() int64 {
	var t unix.Timespec
	unix.ClockGettime(unix.CLOCK_MONOTONIC, &t)
	return t.Nano()
}

func main() {
	m := now()
	weft.Init()
	if len(os.Args) > 1 && os.Args[1] == "parent" {
		parent()
		return
	}
	var g struct {
		Run struct {
			Command []string `arg:"" passthrough:""`
		} `cmd:""`
	}
	kong.Parse(&g)
	k := now()
	p, err := weft.Open(".")
	if err != nil {
		panic(err)
	}
	o := now()
	t, err := p.SubmitContext(context.Background(), weft.Command(g.Run.Command[0], g.Run.Command[1:]...))
	if err != nil {
		panic(err)
	}
	s := now()
	_, err = t.Output(context.Background(), os.Stdout, os.Stderr)
	if err != nil {
		panic(err)
	}
	w := now()
	if err := t.Take(context.Background()); err != nil {
		panic(err)
	}
	e := now()
	fmt.Println(m, k, o, s, w, e)
	os.Exit(0)
}

func parent() {
	n, _ := strconv.Atoi(os.Args[2])
	names := []string{"exec→main", "kong", "open", "submit", "wait", "take", "exit", "total"}
	all := make([][]float64, len(names))
	for range n {
		a := now()
		out, err := exec.Command("/proc/self/exe", "run", "true").Output()
		b := now()
		if err != nil {
			panic(err)
		}
		ts := []int64{a}
		for _, f := range strings.Fields(string(out)) {
			v, _ := strconv.ParseInt(f, 10, 64)
			ts = append(ts, v)
		}
		ts = append(ts, b)
		for i := range 7 {
			all[i] = append(all[i], float64(ts[i+1]-ts[i])/1e6)
		}
		all[7] = append(all[7], float64(b-a)/1e6)
	}
	for i, name := range names {
		sort.Float64s(all[i])
		fmt.Printf("%-10s p10 %.2f p50 %.2f p90 %.2f\n", name, all[i][n/10], all[i][n/2], all[i][n*9/10])
	}
	_ = time.Now
}
