package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// facts are what the numbers depend on beside Weft.
type facts []struct{ name, value string }

// machine gathers the facts of this machine at this moment.
func (b *bench) machine() (facts, error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return nil, fmt.Errorf("ask for the kernel: %w", err)
	}
	load, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return nil, err
	}
	d, err := openDisk(b.root)
	if err != nil {
		return nil, err
	}
	defer d.close()
	var syncs []float64
	for range 200 {
		ms, err := d.sync()
		if err != nil {
			return nil, err
		}
		syncs = append(syncs, ms)
	}
	return facts{
		{"date", time.Now().Format(time.DateOnly)},
		{"CPU", fmt.Sprintf("%d × %s", runtime.NumCPU(), processor())},
		{"kernel", unix.ByteSliceToString(u.Release[:])},
		{"Go", runtime.Version()},
		{"fsync", fmt.Sprintf("p50 %s, p99 %s", quantity(percentile(syncs, 50), "ms"), quantity(percentile(syncs, 99), "ms"))},
		{"load when it began", strings.Fields(string(load))[0]},
		{"rounds", fmt.Sprint(b.rounds)},
	}, nil
}

// processor is the name of the CPU.
func processor() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if name, value, _ := strings.Cut(lines.Text(), ":"); strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

func (f facts) text() string {
	var b strings.Builder
	for _, fact := range f {
		fmt.Fprintf(&b, "%s: %s\n", fact.name, fact.value)
	}
	return b.String()
}

func (f facts) markdown() string {
	var b strings.Builder
	for _, fact := range f {
		fmt.Fprintf(&b, "- %s: %s\n", fact.name, fact.value)
	}
	return b.String()
}
