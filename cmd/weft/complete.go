package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// completeCmd is what the scripts of weft completion call. Its last word is the
// one at the cursor, as far as it is typed.
type completeCmd struct {
	Words []string `arg:"" optional:"" sep:"none" empty:"" complete:"-"`
}

// Run prints, on the first line, what the shell is to offer itself: nothing
// beside the "words", "files", "folders", or what it would behind the first so
// many words of the line, "command 3". On each following line is a word to offer,
// a tab, and a description of it. What cannot be found out is not offered: a
// person who presses a key has not asked for an error.
func (c *completeCmd) Run(a *app) error {
	if len(c.Words) == 0 {
		c.Words = []string{""}
	}
	last := len(c.Words) - 1
	before, word := c.Words[:last], c.Words[last]
	line := before
	if last == 0 {
		line = c.Words // it names no command yet, and so all are built
	}
	cur := walk(newParser(&globals{}, commands(), line).Model.Node, before)
	o := cur.offer(word, &lookup{dir: cur.values["context"]})
	a.stdout.Printf("%s\n", o.how)
	for _, w := range o.words {
		a.stdout.Printf("%s\t%s\n", w.text, visible(w.about))
	}
	return nil
}

// A cursor is the place in a line that is to be completed, by what is before it.
type cursor struct {
	node   *kong.Node        // the command
	values map[string]string // of the flags so far, by their names
	flag   *kong.Flag        // that waits for its value, or nil
	args   int               // so many arguments
	plain  bool              // a "--" is before it, so flags are none
	theirs bool              // the words that follow are a command of the user's
	words  int               // so many words, without those of the user's command
}

// walk finds the place behind these words.
func walk(root *kong.Node, words []string) *cursor {
	c := &cursor{node: root, values: make(map[string]string)}
	for _, word := range words {
		if c.theirs {
			break
		}
		c.pass(word)
	}
	return c
}

// pass goes on behind one more word.
func (c *cursor) pass(word string) {
	child := childNamed(c.node, word)
	switch {
	case c.flag != nil:
		c.values[c.flag.Name], c.flag = word, nil
	case !c.plain && word == "--":
		c.plain = true
		c.theirs = takesCommand(c.node.Name)
	case !c.plain && len(word) > 1 && word[0] == '-':
		flag := flagNamed(c.node, word)
		name, value, whole := strings.Cut(word, "=")
		switch {
		case flag == nil:
		case whole || flag.IsBool():
			c.values[strings.TrimPrefix(name, "--")] = value
		default:
			c.flag = flag
		}
	case takesCommand(c.node.Name):
		c.theirs = true
		return
	case child != nil && c.args == 0:
		c.node = child
	default:
		c.args++
	}
	c.words++
}

// childNamed returns the command of that name or alias within a group, or nil.
func childNamed(group *kong.Node, name string) *kong.Node {
	for _, child := range group.Children {
		if slices.Contains(append(child.Aliases, child.Name), name) {
			return child
		}
	}
	return nil
}

// An offer is what a word can become.
type offer struct {
	how   string // the first line of the answer
	words []candidate
}

type candidate struct{ text, about string }

// offer finds what the word at the cursor can become.
func (c *cursor) offer(word string, look *lookup) offer {
	_, hasSpec := c.values["spec"]
	name, value, whole := strings.Cut(word, "=")
	switch {
	case c.theirs && hasSpec:
		return offer{how: "files"} // arguments of the spec's command
	case c.theirs:
		return offer{how: fmt.Sprint("command ", c.words)}
	case c.flag != nil:
		return look.values(c.flag.Value, word)
	case !c.plain && whole && strings.HasPrefix(word, "--"):
		flag := flagNamed(c.node, name)
		if flag == nil {
			break
		}
		o := look.values(flag.Value, value)
		for i := range o.words {
			o.words[i].text = name + "=" + o.words[i].text
		}
		return o
	case !c.plain && strings.HasPrefix(word, "-"):
		return offer{how: "words", words: c.flags(word)}
	case takesCommand(c.node.Name) && hasSpec:
		return offer{how: "files"}
	case takesCommand(c.node.Name):
		return offer{how: fmt.Sprint("command ", c.words)}
	case len(c.node.Children) > 0:
		return offer{how: "words", words: c.commands(word)}
	}
	if n := len(c.node.Positional); n > 0 && (c.args < n || c.node.Positional[n-1].IsCumulative()) {
		return look.values(c.node.Positional[min(c.args, n-1)], word)
	}
	return offer{how: "words"}
}

// commands returns the commands of a group that begin so.
func (c *cursor) commands(word string) (words []candidate) {
	for _, child := range c.node.Children {
		if !child.Hidden && strings.HasPrefix(child.Name, word) {
			words = append(words, candidate{child.Name, child.Help})
		}
	}
	return words
}

// flags returns the flags that begin so and have not been given.
func (c *cursor) flags(word string) (words []candidate) {
	for _, group := range c.node.AllFlags(true) {
		for _, flag := range group {
			names := []string{"--" + flag.Name}
			if flag.Tag.Negatable != "" {
				names = append(names, "--no-"+flag.Name)
			}
			for _, name := range names {
				_, given := c.values[strings.TrimPrefix(name, "--")]
				if strings.HasPrefix(name, word) && (!given || flag.IsCumulative()) {
					words = append(words, candidate{name, flag.Help})
				}
			}
		}
	}
	return words
}
