package taskspec

import (
	"strings"

	"weft/internal/schema"
)

// maxQueueName is the greatest length of a queue's name, in bytes.
const maxQueueName = 512

// views is the prefix of queues that show records and cannot be written to. A
// task with such a queue could never hand off its result.
const views = "weft.state."

// own is the prefix of Weft's own queues, which no task may be wired to.
const own = "weft."

// queuesRule is the rule for one map of [IO].
func queuesRule() members {
	const reserved = "reserved"
	const pattern = `^[A-Za-z0-9_][A-Za-z0-9_.-]*$`
	valid := matches(pattern)
	name := func(queue string) string {
		if len(queue) <= maxQueueName && valid(queue) {
			return ""
		}
		return "queue name " + quote(queue) + ` must be 1 to 512 letters, digits, "_", "." and "-" and begin with none of the last two`
	}
	return members{
		keys: []*textRule{
			{unless(func(name string) bool { return name != "" }, "the name must not be empty"), schema.Schema{MinLength: new(1)}},
			{unless(func(name string) bool { return name != reserved }, "the reserved queue cannot be overridden"),
				schema.Schema{Not: &schema.Schema{Enum: []string{reserved}}}},
			unicodeRule(),
		},
		values: []*textRule{
			{name, schema.Schema{Pattern: pattern, MaxLength: new(maxQueueName)}},
			{unless(func(queue string) bool { return !strings.HasPrefix(queue, views) }, views+"* queues are views and cannot be used"),
				schema.Schema{Not: &schema.Schema{Pattern: `^weft\.state\.`}}},
		},
	}
}
