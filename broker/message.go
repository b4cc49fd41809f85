package broker

// Message is one message of a queue.
type Message struct {
	ID    ID
	Queue string
	Body  string // UTF-8, exactly as written
}

// Select selects messages of a queue, oldest first. The zero value selects all of them.
type Select struct {
	ID     ID  // only the message with this id; 0 = any
	After  ID  // only ids greater than this; 0 = from the oldest
	Before ID  // only ids smaller than this; 0 = to the newest
	Limit  int // at most this many; 0 = no limit
}

// Stats counts the messages of a queue.
type Stats struct {
	Queue   string `json:"queue"`
	Pending int    `json:"pending"`       // messages in the queue
	Oldest  ID     `json:"oldest,string"` // 0 when the queue is empty
	Newest  ID     `json:"newest,string"`
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
	ID     string // assigned when the store was made, never changes
	LastID ID     // the greatest id that was ever assigned; 0 if there was none
	Bytes  int64  // the size of the store, without its log
	Free   int64  // the unused part of Bytes
	Log    int64  // the size of the log, whose changes are not in the store yet
	// Altered means that something in the store differs from what this version of Weft
	// creates, so writing to it may have other effects.
	Altered bool
}

// A Record holds the current state of one thing of some kind ("task", "manager"). It
// changes in the same transaction as the messages that report the change.
type Record struct {
	Kind  string
	Key   string
	State string // [RecordSelect] filters by it
	Rank  int64  // the order within a kind
	Body  string // the data of the thing, usually JSON
}

// RecordSelect selects records of a kind. The zero value selects all of them.
type RecordSelect struct {
	States     []string // only these states; empty = any
	KeySuffix  string   // only keys with this suffix; all keys are read
	AfterRank  int64    // only ranks greater than this; 0 = from the lowest, so ranks start at 1
	BeforeRank int64    // only ranks less than this; 0 = up to the highest
	Limit      int      // at most this many; 0 = no limit
	Newest     bool     // highest rank first
}
