package broker

// Message is one message of a queue.
type Message struct {
	ID    ID
	Queue string
	Body  string // UTF-8, exactly as written
}

// Select says which messages of a queue an operation concerns, oldest first.
// The zero value selects all of them.
type Select struct {
	ID     ID  // only the message with this id; 0 = any
	After  ID  // only ids greater than this; 0 = from the oldest
	Before ID  // only ids smaller than this; 0 = to the newest
	Limit  int // at most so many; 0 = no bound
}

// Stats counts the messages of a queue.
type Stats struct {
	Queue   string
	Pending int // messages in the queue
	Oldest  ID  // 0 when the queue is empty
	Newest  ID
}

// count adds a message that is newer than those counted before.
func (s *Stats) count(id ID) {
	s.Pending++
	s.Newest = id
	if s.Oldest == 0 {
		s.Oldest = id
	}
}

// Info describes a store.
type Info struct {
	ID     string // made when the store was, never changes
	LastID ID     // the greatest id that a message was ever given; 0 before the first
	Bytes  int64  // the size of the store, without its log
	Free   int64  // how much of that is unused
	Log    int64  // the size of the log of changes that are not in the store yet
	// Altered: something in the store is not as this version of Weft makes it,
	// and it may do more with what is written to it.
	Altered bool
}

// Record is a fact about the present: one thing of some kind ("task",
// "manager") and how it stands. It changes in the same transaction as the
// messages that report the change.
type Record struct {
	Kind  string
	Key   string
	State string // what [RecordSelect] filters by
	Rank  int64  // the order within a kind
	Body  string // the thing's own data, usually JSON
}

// RecordSelect says which records of a kind an operation concerns. The zero
// value selects all of them.
type RecordSelect struct {
	States     []string // only these states; empty = any
	KeySuffix  string   // only keys that end with this; it looks at the keys of all
	AfterRank  int64    // only ranks greater than this; 0 = from the lowest, so ranks start at 1
	BeforeRank int64    // only ranks less than this; 0 = up to the highest
	Limit      int      // at most so many; 0 = no bound
	Newest     bool     // highest rank first
}
