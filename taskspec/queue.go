package taskspec

import "strings"

// maxQueueName is the greatest length of a queue's name, in bytes.
const maxQueueName = 512

// views is the prefix of queues that show records and cannot be written to. A
// task with such a queue could never hand off its result.
const views = "weft.state."

// queuesRule is the rule for one map of [IO].
func queuesRule() members {
	const reserved = "reserved"
	return members{
		keys: []*textRule{{
			ok:       func(name string) bool { return name != "" },
			says:     always("the name must not be empty"),
			keywords: schema{MinLength: new(1)},
		}, {
			ok:       func(name string) bool { return name != reserved },
			says:     always("the reserved queue cannot be overridden"),
			keywords: schema{Not: &schema{Enum: []string{reserved}}},
		}, unicodeRule()},
		values: []*textRule{{
			ok: validQueue,
			says: func(queue string) string {
				return "queue name " + quote(queue) + ` must be 1 to 512 letters, digits, "_", "." and "-" and begin with none of the last two`
			},
			keywords: schema{Pattern: `^[A-Za-z0-9_][A-Za-z0-9_.-]*$`, MaxLength: new(maxQueueName)},
		}, {
			ok:       func(queue string) bool { return !strings.HasPrefix(queue, views) },
			says:     always(views + "* queues are views and cannot be used"),
			keywords: schema{Not: &schema{Pattern: `^weft\.state\.`}},
		}},
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
