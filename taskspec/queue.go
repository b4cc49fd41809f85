package taskspec

import "strings"

// maxQueueName is the greatest length of a queue's name, in bytes.
const maxQueueName = 512

// views is the prefix of queues that show records and cannot be written to. A
// task with such a queue could never hand off its result.
const views = "weft.state."

// checkQueues checks one map of [IO].
func checkQueues(r *report, path string, queues map[string]string) {
	for _, name := range sortedKeys(queues) {
		at := child(path, name)
		switch queue := queues[name]; {
		case name == "":
			r.add(at, "the name must not be empty")
		case name == "reserved":
			r.add(at, "the reserved queue cannot be overridden")
		case !validQueue(queue):
			r.add(at, "queue name "+quote(queue)+` must be 1 to 512 letters, digits, "_", "." and "-" and begin with none of the last two`)
		case strings.HasPrefix(queue, views):
			r.add(at, views+"* queues are views and cannot be used")
		}
		checkUTF8(r, at, name)
	}
}

// validQueue reports whether name is a queue's name:
// [A-Za-z0-9_][A-Za-z0-9_.-]*, at most 512 bytes.
func validQueue(name string) bool {
	odd := func(r rune) bool {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
		return !letter && r != '_' && r != '.' && r != '-'
	}
	return name != "" && len(name) <= maxQueueName &&
		name[0] != '.' && name[0] != '-' && !strings.ContainsFunc(name, odd)
}
