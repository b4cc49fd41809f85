package literal

import (
	"fmt"
	"strconv"
	"time"
)

// Duration reads a duration as users write it: a Go duration such as
// "1m30s", or bare seconds such as "30" and "1.5". It must not be negative.
func Duration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil {
		var s float64
		if s, err = strconv.ParseFloat(text, 64); err == nil {
			d = time.Duration(s * float64(time.Second))
		}
	}
	const century = 100 * 365 * 24 * time.Hour
	if err != nil || d < 0 || d > century {
		return 0, fmt.Errorf("duration %q: want seconds (30, 1.5) or a duration (2m, 1h30m)", text)
	}
	return d, nil
}
