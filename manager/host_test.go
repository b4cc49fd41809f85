package manager

import "testing"

func TestPreferred(t *testing.T) {
	t.Parallel()
	idle := func(hosts ...string) (all []*consumer) {
		for _, h := range hosts {
			all = append(all, &consumer{program: h})
		}
		return all
	}
	for name, test := range map[string]struct {
		free []*consumer // the one that became idle last at the end
		host string
		want int
	}{
		"one":                          {idle("a"), "b", 0},
		"command, none has a worker":   {idle("", ""), "", 1},
		"command, the last has one":    {idle("", "", "a"), "", 1},
		"command, all have one":        {idle("a", "b"), "", 1},
		"function, one has its worker": {idle("a", "b", ""), "a", 0},
		"function, the last of two":    {idle("a", "a", "b"), "a", 1},
		"function, others have theirs": {idle("", "b"), "a", 0},
		"function, all have another's": {idle("b", "b"), "a", 1},
	} {
		if got := preferred(test.free, test.host); got != test.want {
			t.Errorf("%s: got %d, want %d", name, got, test.want)
		}
	}
}
