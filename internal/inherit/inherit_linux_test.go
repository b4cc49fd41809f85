package inherit

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestParse(t *testing.T) {
	t.Parallel()
	a := Attributes{Umask: 0o27, Nice: -3, CPUs: "0-3,7"}
	for i := range a.Soft {
		a.Soft[i] = unlimited
	}
	a.Soft[unix.RLIMIT_CORE], a.Soft[unix.RLIMIT_NOFILE] = 0, 1024
	line := a.String()
	if got, err := Parse(line); err != nil || got != a || !Equal(&got, &a) {
		t.Errorf("Parse(%q) = %+v, %v, want %+v", line, got, err, a)
	}
	for _, bad := range []string{"", "27", line + " 1", strings.Replace(line, "27", "98", 1), strings.Replace(line, "-3", "x", 1), strings.Replace(line, "1024", "-1024", 1)} {
		if got, err := Parse(bad); err == nil {
			t.Errorf("Parse(%q) = %+v, want an error", bad, got)
		}
	}
	if Equal(nil, &a) || Equal(&a, nil) || !Equal(nil, nil) {
		t.Error("what is not known equals what is")
	}
}

func TestCPUs(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"0", "0-1", "1,3", "0-3,7,62-65,1023"} {
		set, err := parseCPUs(text)
		if got := formatCPUs(&set); err != nil || got != text {
			t.Errorf("CPUs %q: %q, %v", text, got, err)
		}
	}
	for _, bad := range []string{"", "a", "1-", "-1", "1,,2"} {
		if set, err := parseCPUs(bad); err == nil {
			t.Errorf("CPUs %q: %q, want an error", bad, formatCPUs(&set))
		}
	}
}

// What Go has raised is not what a process gets that is started.
func TestRaised(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		limit unix.Rlimit
		want  bool
	}{
		{unix.Rlimit{Cur: 4095, Max: 4096}, true},
		{unix.Rlimit{Cur: 4096, Max: 4096}, false},
		{unix.Rlimit{Cur: 1024, Max: 4096}, false},
		{unix.Rlimit{Cur: 0, Max: 0}, false},
	} {
		if got := raised(test.limit); got != test.want {
			t.Errorf("raised(%v) = %v", test.limit, got)
		}
	}
}

// BenchmarkRead is what a submission pays.
func BenchmarkRead(b *testing.B) {
	for b.Loop() {
		a, err := Read()
		if err != nil {
			b.Fatal(err)
		}
		_ = a.String()
	}
}
