package main

import (
	"slices"
	"testing"
)

func TestCells(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		row  row
		want []string
	}{
		{
			newRow("run", "ms", samples{6, 5, 4}, samples{4, 4, 4}, "bare", atMost(1.5)),
			[]string{"run", "5.00 ms", "4.00 ms bare", "1.25", "1.00–1.50", "≤ 1.5 ×", "met"},
		},
		{
			newRow("run", "ms", samples{6.04}, samples{4}, "bare", atMost(1.5)),
			[]string{"run", "6.04 ms", "4.00 ms bare", "1.51", "", "≤ 1.5 ×", "missed"},
		},
		{
			newRow("write", "/s", samples{12345}, samples{15000}, "driver", atLeast(0.8)),
			[]string{"write", "12,300 /s", "15,000 /s driver", "0.82", "", "≥ 0.8 ×", "met"},
		},
		{
			newRow("write", "/s", samples{12000}, samples{15001}, "driver", atLeast(0.8)),
			[]string{"write", "12,000 /s", "15,000 /s driver", "0.80", "", "≥ 0.8 ×", "missed"},
		},
		{
			newRow("cpu", "ms", samples{10.1}, samples{2}, "idle", numberAtMost(10)),
			[]string{"cpu", "10.1 ms", "2.00 ms idle", "5.05", "", "≤ 10 ms", "missed"},
		},
		{
			numberRow("busy", "", 0, numberAtMost(0)),
			[]string{"busy", "0", "", "", "", "≤ 0", "met"},
		},
		{
			numberRow("other", "MB", 0.0999, target{}),
			[]string{"other", "0.0999 MB", "", "", "", "", ""},
		},
	} {
		if got := tt.row.cells(); !slices.Equal(got, tt.want) {
			t.Errorf("cells %q, want %q", got, tt.want)
		}
	}
}
