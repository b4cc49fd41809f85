package taskspec

// Concurrency bounds how many tasks of a project that name the same key run at once. The
// others wait, in the order of their ids, and hold up no task without the key.
type Concurrency struct {
	// Key has at most 200 characters. It has nothing to do with [Work].Key.
	Key string `json:"key"`
	// Limit is how many may run at once: from 1 to 1,000, 1 by default. That of the
	// newest submission holds for all tasks with the key.
	Limit *int `json:"limit,omitempty"`
}

// Bound returns the limit, 1 by default.
func (c Concurrency) Bound() int { return valueOr(c.Limit, defaultConcurrency) }

// resolve returns a copy with its default filled in.
func (c *Concurrency) resolve() *Concurrency {
	if c == nil {
		return nil
	}
	return &Concurrency{c.Key, new(c.Bound())}
}

// MaxConcurrency is the greatest limit, more than a machine runs: each end of a task reads
// as many records.
const MaxConcurrency = 1000

const defaultConcurrency = 1
