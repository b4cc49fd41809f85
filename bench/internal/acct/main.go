package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"weft"
)

func cpu(pid int) float64 {
	var t unix.Timespec
	if unix.ClockGettime(int32(^pid)<<3|2, &t) != nil {
		return 0
	}
	return float64(t.Nano()) / 1e6
}

func stat(pid int) (u, s, cu, cs float64) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return
	}
	f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+2:]))
	g := func(i int) float64 { v, _ := strconv.ParseFloat(f[i], 64); return v * 10 }
	return g(11), g(12), g(13), g(14)
}

func kids(pid int) (pids []int) {
	ts, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	for _, t := range ts {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, t.Name()))
		for _, f := range strings.Fields(string(b)) {
			v, _ := strconv.Atoi(f)
			pids = append(pids, v)
		}
	}
	return
}

func main() {
	weft.Init()
	n, _ := strconv.Atoi(os.Args[1])
	clients, _ := strconv.Atoi(os.Args[2])
	split := len(os.Args) > 3 && os.Args[3] == "split"
	p, err := weft.Open(".")
	if err != nil {
		panic(err)
	}
	defer p.Close()
	do := func(n int) {
		var wg sync.WaitGroup
		for range clients {
			wg.Go(func() {
				if split {
					var ts []*weft.Task
					for range n / clients {
						t, err := p.Submit(weft.Command("/bin/true"))
						if err != nil {
							panic(err)
						}
						ts = append(ts, t)
					}
					for _, t := range ts {
						if _, err := t.Result(context.Background()); err != nil {
							panic(err)
						}
					}
					return
				}
				for range n / clients {
					if _, err := p.Run(weft.Command("/bin/true")); err != nil {
						panic(err)
					}
				}
			})
		}
		wg.Wait()
	}
	do(200)
	ms, _ := p.Managers(context.Background())
	m := ms[len(ms)-1].PID
	cs := kids(m)
	if len(os.Args) > 4 {
		os.WriteFile(os.Args[4], []byte(fmt.Sprintln(os.Getpid(), m, strings.Trim(strings.ReplaceAll(fmt.Sprint(cs), " ", ","), "[]"))), 0o600)
	}
	type snap struct{ self, man, mu, msys, con, ccu, ccs, su, ss float64 }
	take := func() (s snap) {
		s.self, s.man = cpu(os.Getpid()), cpu(m)
		s.mu, s.msys, _, _ = stat(m)
		s.su, s.ss, _, _ = stat(os.Getpid())
		for _, c := range cs {
			s.con += cpu(c)
			_, _, cu, cs := stat(c)
			s.ccu += cu
			s.ccs += cs
		}
		return
	}
	a := take()
	t := time.Now()
	do(n)
	d := time.Since(t)
	b := take()
	f := float64(n) / 1000
	fmt.Printf("%.0f/s; us CPU per task: client %.0f (u %.0f s %.0f)  manager %.0f (u %.0f s %.0f)  %d consumers %.0f  tasks u %.0f s %.0f  sum %.0f of %.0f\n", float64(n)/d.Seconds(),
		(b.self-a.self)/f, (b.su-a.su)/f, (b.ss-a.ss)/f, (b.man-a.man)/f, (b.mu-a.mu)/f, (b.msys-a.msys)/f, len(cs), (b.con-a.con)/f, (b.ccu-a.ccu)/f, (b.ccs-a.ccs)/f,
		(b.self-a.self+b.man-a.man+b.con-a.con+b.ccu-a.ccu+b.ccs-a.ccs)/f, d.Seconds()*2e3/f)
	p.StopManager(context.Background())
}
