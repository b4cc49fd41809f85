package taskspec

import "strconv"

// tidDigits is the length of a full task id, shortDigits that of a short one.
const (
	tidDigits   = 19
	shortDigits = 10
)

// ShortTID returns the last 10 digits of a task id, the form that tables and
// process titles show. A shorter id is returned as it is.
func ShortTID(tid string) string {
	return tid[max(0, len(tid)-shortDigits):]
}

// validTID reports whether s is a full task id: 19 digits that fit 63 bits.
func validTID(s string) bool {
	if len(s) != tidDigits || s[0] < '0' { // ParseInt would take a sign
		return false
	}
	_, err := strconv.ParseInt(s, 10, 64)
	return err == nil
}
