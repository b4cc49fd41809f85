package weft

import "strings"

// Reserved reports whether a queue belongs to Weft or to a task or pipeline:
// weft.*, T<tid>.* and P<tid>.*. What is done to all queues at once should
// leave these alone.
func Reserved(queue string) bool {
	if strings.HasPrefix(queue, "weft.") {
		return true
	}
	owner, _, ok := strings.Cut(queue, ".")
	return ok && len(owner) == 1+fullTID && (owner[0] == 'T' || owner[0] == 'P') &&
		strings.Trim(owner[1:], "0123456789") == ""
}
