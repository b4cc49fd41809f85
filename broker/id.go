package broker

import (
	"fmt"
	"strconv"
	"time"
)

// ID identifies a message. Ids are wall-clock nanoseconds whose low 12 bits are replaced by
// a counter (a grain of 4,096 ns). Within a store they rise strictly in the order of
// commits, even if the clock is set back; so the order of ids is the order of the queue,
// and a reader that remembers the last id it saw misses nothing. The zero ID is no message.
type ID int64

// Grain is the resolution of the clock part of an ID, in nanoseconds: 2^12.
const Grain = 1 << 12

// IDAt returns the smallest ID that a message written at t can have, as a bound for
// selecting messages by time.
func IDAt(t time.Time) ID { return ID(t.UnixNano() &^ (Grain - 1)) }

// ParseID parses the decimal form of an ID, exactly as [ID.String] writes it. The error
// wraps [ErrID].
func ParseID(s string) (ID, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n <= 0 || ID(n).String() != s {
		return 0, fmt.Errorf("%w %q: want a positive number", ErrID, s)
	}
	return ID(n), nil
}

// String returns the decimal form; for any date from 2001 to 2286 it has 19 digits.
func (id ID) String() string { return strconv.FormatInt(int64(id), 10) }

// Time returns the time at which the message was written, rounded to the grain, unless the
// clock had been set back or there were more messages than the grain allows.
func (id ID) Time() time.Time { return time.Unix(0, int64(id)&^(Grain-1)) }
