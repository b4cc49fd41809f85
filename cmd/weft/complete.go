package main

import (
	"fmt"
	"strings"
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
		flag := flagNamed(c.node, name[2:])
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
			for _, name := range flagNames(flag) {
				_, given := c.values[name]
				if strings.HasPrefix("--"+name, word) && (!given || flag.IsCumulative()) {
					words = append(words, candidate{"--" + name, flag.Help})
				}
			}
		}
	}
	return words
}
