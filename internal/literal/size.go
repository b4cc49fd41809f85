package literal

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// MiB is the unit of a size of memory that has none, in bytes.
const MiB = 1 << 20

// Size reads a size as users write it, and returns it in bytes: a number with a unit,
// of 1000 (kB, MB, GB, TB) or of 1024 (KiB, MiB, GiB, TiB, and K, M, G, T alone); case does
// not matter, nor does a space before the unit. B is a byte. A number without a unit has
// the one that is given, in bytes. A size must not be negative, and a part of a byte does not count.
func Size(text string, unit int64) (int64, error) {
	digits := strings.TrimRight(text, "BbIiKkMmGgTt ")
	name := strings.ToLower(strings.TrimSpace(text[len(digits):]))
	n, err := strconv.ParseFloat(digits, 64)
	units := map[string]int64{
		"": unit, "b": 1,
		"kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12,
		"k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40,
		"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40,
	}
	each, known := units[name]
	const most = 1 << 60
	if err != nil || !known || math.IsNaN(n) || n < 0 || n*float64(each) > most {
		return 0, fmt.Errorf("size %q: want a number (500), or one with a unit (512MiB, 1.5GB)", text)
	}
	return int64(n * float64(each)), nil
}
