package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"weft"
	"weft/broker"
	"weft/taskspec"
)

// A lookup finds what there is in a project for a word to become.
type lookup struct {
	dir string // of --context, or empty
}

// The bounds of an offer. A person can read so many tasks. Of names there must
// be all, or the shell takes for certain how they go on.
const (
	mostTasks = 50
	mostNames = 1000
	// A shell waits no longer for a project that is busy.
	patience = time.Second
)

// values finds what the value of a flag or an argument can become: what its enum
// lists, or what its tag "complete" names, one or several of
//
//	task         a task
//	live-task    a task that has not ended
//	failed-task  a task that ended and did not complete
//	queue        a queue, or an alias with an @ before it
//	alias        an alias
//	endpoint     a named endpoint
//	spec         a stored spec
//	function     a function that a program has registered
//	file         a file
//	folder       a folder
//	topic        a command, or a topic of help
//	-            nothing that is known
func (l *lookup) values(v *kong.Value, word string) offer {
	o := offer{how: "words"}
	for text := range strings.SplitSeq(v.Enum, ",") {
		if text != "" {
			o.words = append(o.words, candidate{text: text})
		}
	}
	for kind := range strings.SplitSeq(v.Tag.Get("complete"), ",") {
		switch kind {
		case "file":
			o.how = "files"
		case "folder":
			o.how = "folders"
		case "topic":
			for _, c := range commands() {
				if !c.hidden {
					o.words = append(o.words, candidate{c.name, c.help})
				}
			}
			for _, topic := range topics() {
				o.words = append(o.words, candidate{topic, "a topic"})
			}
		case "", "-":
		default:
			o.words = append(o.words, l.live(kind, word)...)
		}
	}
	o.words = slices.DeleteFunc(o.words, func(w candidate) bool { return !strings.HasPrefix(w.text, word) })
	return o
}

// live finds things of the project, among them those that begin with word. It is
// nothing where something fails.
func (l *lookup) live(kind, word string) []candidate {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	root, err := weft.Locate(l.dir)
	if err != nil {
		return nil
	}
	p, err := weft.OpenExisting(root)
	if err != nil {
		return nil
	}
	switch kind {
	case "task":
		return tasks(ctx, p, word)
	case "live-task":
		return tasks(ctx, p, word, taskspec.Unfinished()...)
	case "failed-task":
		return tasks(ctx, p, word, incomplete()...)
	case "queue":
		if strings.HasPrefix(word, "@") {
			return aliases(ctx, p, "@")
		}
		return append(queues(ctx, p, word), aliases(ctx, p, "@")...)
	case "alias":
		return aliases(ctx, p, "")
	case "endpoint":
		all, err := p.Endpoints().List(ctx)
		return candidates(all, err, func(e weft.Endpoint) candidate { return candidate{e.Name, e.Queue} })
	case "pipeline":
		all, err := p.Pipelines().List()
		return candidates(all, err, func(s weft.StoredPipeline) candidate { return candidate{s.Name, s.Description} })
	case "spec":
		all, err := p.Specs().List()
		return candidates(all, err, func(s weft.StoredSpec) candidate { return candidate{s.Name, s.Description} })
	case "function":
		all, err := p.Functions().List(ctx)
		return candidates(all, err, func(f *weft.FunctionInfo) candidate { return candidate{f.Name, f.Description} })
	}
	return nil
}

// tasks finds the newest tasks, by their short ids or, if none of these begins
// so, by their full ones; by their names; and by the words for the newest ones.
func tasks(ctx context.Context, p *weft.Project, word string, statuses ...taskspec.Status) (words []candidate) {
	var found []*weft.TaskStatus
	for s, err := range p.Tasks(ctx, weft.TaskFilter{Statuses: statuses}) {
		if err != nil || len(found) == mostTasks {
			break
		}
		found = append(found, s)
	}
	if len(found) == 0 {
		return nil
	}
	short := func(s *weft.TaskStatus) string { return taskspec.ShortTID(s.TID) }
	id := short
	if !slices.ContainsFunc(found, func(s *weft.TaskStatus) bool { return strings.HasPrefix(short(s), word) }) {
		id = func(s *weft.TaskStatus) string { return s.TID }
	}
	for _, s := range found {
		words = append(words, candidate{id(s), s.Name + ": " + string(standing(s))})
	}
	named := make(map[string]bool)
	for _, s := range found {
		if !named[s.Name] && visible(s.Name) == s.Name { // others cannot be typed
			words = append(words, candidate{s.Name, taskspec.ShortTID(s.TID) + ": " + string(standing(s))})
		}
		named[s.Name] = true
	}
	return append(words, candidate{"@last", "the newest task"}, candidate{"@failed", "the newest task that failed"},
		candidate{"@running", "the newest task that runs"})
}

// queues finds the queues that begin so. Those of tasks are offered where they
// are asked for, as there may be any number.
func queues(ctx context.Context, p *weft.Project, word string) (words []candidate) {
	begins := []string{word}
	if word == "" {
		begins = notOfTasks()
	}
	for _, begin := range begins {
		for name, err := range p.Broker().Queues(broker.Prefix(begin)).Names(ctx) {
			if err != nil || len(words) == mostNames {
				return words
			}
			words = append(words, candidate{text: name})
		}
	}
	return words
}

// notOfTasks returns what queues begin with that are not of a task or a pipeline:
// that is T or P and a digit. To pass over 100,000 of these takes 0.3 s, to ask for
// the others 0.1 s.
func notOfTasks() (begins []string) {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
	for first := range strings.SplitSeq("0123456789"+letters, "") {
		if first != "T" && first != "P" {
			begins = append(begins, first)
			continue
		}
		for second := range strings.SplitSeq("-."+letters, "") {
			begins = append(begins, first+second)
		}
	}
	return begins
}

// aliases finds the aliases, with something before them.
func aliases(ctx context.Context, p *weft.Project, before string) []candidate {
	all, err := p.Broker().Aliases().List(ctx, "")
	return candidates(all, err, func(a broker.Alias) candidate { return candidate{before + a.Name, a.Queue} })
}

// candidates are the words for all things, none if they could not be listed.
func candidates[T any](all []T, err error, word func(T) candidate) (words []candidate) {
	if err != nil {
		return nil
	}
	for _, v := range all {
		words = append(words, word(v))
	}
	return words
}
