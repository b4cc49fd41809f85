// Package inherit is about what a process gets from the one that starts it, beside
// its descriptors, directory and environment: umask, niceness, CPUs and soft
// limits.
//
// A manager is started by whoever needs one first, and serves everybody after
// that. So it sheds what it has got from its starter ([Clean]), and each task gets
// what its submitter has: [Read] there, [Attributes.String] and [Parse] on the
// way, [Start] in the consumer.
package inherit

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// numLimits is how many resource limits there are.
const numLimits = 16

// unlimited is the limit that is none.
const unlimited = math.MaxUint64

// Attributes are what a process starts with. They can be compared with ==.
type Attributes struct {
	Umask int
	Nice  int
	CPUs  string            // that it may run on, as "0-3,7"; empty: not known
	Soft  [numLimits]uint64 // limits, by number
}

// Equal reports whether both are the same, or not known.
func Equal(a, b *Attributes) bool { return a == b || a != nil && b != nil && *a == *b }

// String packs the attributes into one line, which [Parse] reads.
func (a Attributes) String() string {
	line := fmt.Appendf(nil, "%o %d %s", a.Umask, a.Nice, a.CPUs)
	for _, soft := range a.Soft {
		line = append(line, ' ')
		if soft != unlimited {
			line = strconv.AppendUint(line, soft, 10)
		} else {
			line = append(line, '-')
		}
	}
	return string(line)
}

// Parse reads what [Attributes.String] has packed.
func Parse(line string) (a Attributes, err error) {
	fields := strings.Split(line, " ")
	if len(fields) != 3+numLimits {
		return a, fmt.Errorf("attributes of a process: %d fields, want %d", len(fields), 3+numLimits)
	}
	umask, err := strconv.ParseUint(fields[0], 8, 9)
	if err != nil {
		return a, fmt.Errorf("umask: %w", err)
	}
	a.Umask, a.CPUs = int(umask), fields[2]
	if a.Nice, err = strconv.Atoi(fields[1]); err != nil {
		return a, fmt.Errorf("niceness: %w", err)
	}
	for i, field := range fields[3:] {
		a.Soft[i] = unlimited
		if field == "-" {
			continue
		}
		if a.Soft[i], err = strconv.ParseUint(field, 10, 64); err != nil {
			return a, fmt.Errorf("limit: %w", err)
		}
	}
	return a, nil
}
