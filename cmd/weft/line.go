package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// A cursor is a place in a line, by what is before it.
type cursor struct {
	node    *kong.Node        // the command
	values  map[string]string // of the flags so far, by their names
	given   []*kong.Flag      // so far
	flag    *kong.Flag        // that waits for its value, or nil
	args    int               // so many arguments
	closed  bool              // an option is behind the last argument, so there are no more
	plain   bool              // a "--" is before it, so flags are none
	theirs  bool              // the words that follow are a command of the user's
	words   int               // so many words, without those of the user's command
	problem error             // with the first word that the grammar does not have, or nil
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
	isOption := len(word) > 1 && word[0] == '-'
	if n := len(c.node.Positional); isOption && !c.plain && n > 0 && c.args >= n {
		c.closed = true // kong reads those of one list together
	}
	switch {
	case c.flag != nil && isOption:
		c.refuse("%s; one that begins with - is written --%s=%s", wanted(c.flag), c.flag.Name, word)
		c.flag = nil
	case c.flag != nil:
		c.set(c.flag, word)
		c.flag = nil
	case !c.plain && word == "--":
		c.plain = true
		c.theirs = takesCommand(c.node.Name)
	case !c.plain && strings.HasPrefix(word, "--"):
		c.long(word)
	case !c.plain && isOption:
		c.short(word)
	case takesCommand(c.node.Name):
		c.theirs = true
		return
	case child != nil && c.args == 0:
		c.node = child
	default:
		c.argument(word)
	}
	c.words++
}

// long goes on behind --name or --name=value.
func (c *cursor) long(word string) {
	name, value, whole := strings.Cut(word[2:], "=")
	flag := flagNamed(c.node, name)
	switch {
	case flag == nil:
		c.refuse("unknown option --%s: %s", name, c.nearFlags(name))
	case whole || flag.IsBool():
		c.set(flag, value)
		c.values[name] = value // also by the name that negates it
	default:
		c.flag = flag
	}
}

// short goes on behind -n, -n5 or -ab.
func (c *cursor) short(word string) {
	for i, letter := range word[1:] {
		flag := shortFlag(c.node, letter)
		rest := word[1+i+len(string(letter)):]
		switch {
		case flag == nil:
			help := behind(path(c.node))
			if len(c.node.Positional) > 0 {
				help += "; what is no option, but begins with -, goes behind --"
			}
			c.refuse("unknown option %s: see weft help%s", word, help)
			return
		case flag.IsBool():
			c.set(flag, "")
			continue
		case rest == "":
			c.flag = flag
		default:
			c.set(flag, rest)
		}
		return
	}
}

// argument goes on behind a word that is no option.
func (c *cursor) argument(word string) {
	n := len(c.node.Positional)
	switch {
	case len(c.node.Children) > 0 && c.args == 0:
		c.refuse("%s", unknownCommand(path(c.node), word))
	case c.args < n:
		c.choose(c.node.Positional[c.args], "<"+c.node.Positional[c.args].Name+">", word)
	case n > 0 && c.node.Positional[n-1].IsCumulative() && c.closed:
		c.refuse("%q is behind an option: give the arguments together", word)
	case n == 0 || !c.node.Positional[n-1].IsCumulative():
		c.refuse("%q is one argument too many: see weft help%s", word, behind(path(c.node)))
	}
	c.args++
}

// set notes the value of a flag.
func (c *cursor) set(flag *kong.Flag, value string) {
	c.values[flag.Name] = value
	c.given = append(c.given, flag)
	c.choose(flag.Value, "--"+flag.Name, value)
}

// choose refuses a text that is none of those among which v lets choose.
func (c *cursor) choose(v *kong.Value, name, text string) {
	if v.Enum == "" {
		return
	}
	texts := []string{text}
	if v.IsSlice() {
		texts = kong.SplitEscaped(text, v.Tag.Sep)
	}
	choices := v.EnumSlice()
	for _, text := range texts {
		if !slices.Contains(choices, text) {
			choices = slices.DeleteFunc(choices, func(choice string) bool { return choice == "" })
			c.refuse("%s: want %s, not %q", name, alternatives(choices), text)
		}
	}
}

// refuse notes what is wrong with a word, unless something was before.
func (c *cursor) refuse(format string, args ...any) {
	if c.problem == nil {
		c.problem = usageError{fmt.Sprintf(format, args...)}
	}
}

// check returns what is wrong with a line that ends here, in words for whoever typed it, but for
// values that cannot be read. Whoever asks for help need not give the rest.
func (c *cursor) check() error {
	if c.problem != nil || slices.ContainsFunc(c.given, func(f *kong.Flag) bool { return f.Name == "help" }) {
		return c.problem
	}
	command := path(c.node)
	switch {
	case c.flag != nil:
		c.refuse("%s", wanted(c.flag))
	case c.node.Parent == nil:
		c.refuse("give a command: see weft help")
	case len(c.node.Children) > 0:
		var names []string
		for _, child := range c.node.Children {
			names = append(names, child.Name)
		}
		c.refuse("%s: give one of its commands, %s: see weft help%s", command, alternatives(names), behind(path(c.node)))
	}
	for i, arg := range c.node.Positional {
		if arg.Required && i >= c.args {
			c.refuse("%s: give <%s>: %s", command, arg.Name, clause(arg.Help))
		}
	}
	for _, flag := range slices.Concat(c.node.AllFlags(false)...) {
		if flag.Required && !slices.Contains(c.given, flag) {
			c.refuse("%s: give --%s %s: %s", command, flag.Name, placeholder(flag), clause(flag.Help))
		}
	}
	for i, flag := range c.given {
		for _, other := range c.given[:i] {
			if other != flag && slices.ContainsFunc(flag.Xor, func(set string) bool { return slices.Contains(other.Xor, set) }) {
				c.refuse("--%s and --%s do not go together: leave one out", other.Name, flag.Name)
			}
		}
	}
	return c.problem
}

// wanted says that a flag has no value, and what to give.
func wanted(flag *kong.Flag) string {
	return fmt.Sprintf("--%s has no value: give --%s %s: %s", flag.Name, flag.Name, placeholder(flag), clause(flag.Help))
}

// placeholder is what stands for the value of a flag.
func placeholder(flag *kong.Flag) string {
	if flag.PlaceHolder != "" {
		return flag.PlaceHolder
	}
	return strings.ToUpper(flag.Name)
}

// clause is a sentence of help as a part of another one.
func clause(help string) string {
	help = strings.TrimSuffix(help, ".")
	return strings.ToLower(help[:min(1, len(help))]) + help[min(1, len(help)):]
}

// behind is a text with a space before it, or nothing.
func behind(text string) string {
	if text == "" {
		return ""
	}
	return " " + text
}

// alternatives are words with "or" before the last one.
func alternatives(words []string) string {
	if n := len(words); n > 1 {
		return strings.Join(words[:n-1], ", ") + " or " + words[n-1]
	}
	return strings.Join(words, "")
}

// takesCommand reports whether the words of that command are, from the first
// that is no option on, a command of the user's.
func takesCommand(name string) bool { return name == "run" || name == "batch" }

// childNamed returns the command of that name or alias within a group, or nil.
func childNamed(group *kong.Node, name string) *kong.Node {
	for _, child := range group.Children {
		if slices.Contains(append(child.Aliases, child.Name), name) {
			return child
		}
	}
	return nil
}

// flagNamed returns the flag of a command that has this name, or is negated by it, or nil.
func flagNamed(node *kong.Node, name string) *kong.Flag {
	for _, group := range node.AllFlags(false) {
		for _, flag := range group {
			if slices.Contains(flagNames(flag), name) || slices.Contains(flag.Aliases, name) {
				return flag
			}
		}
	}
	return nil
}

// flagNames are the name of a flag and, if there is one, that which negates it.
func flagNames(flag *kong.Flag) []string {
	if flag.Tag.Negatable != "" {
		return []string{flag.Name, "no-" + flag.Name}
	}
	return []string{flag.Name}
}

// shortFlag returns the flag of a command that has this letter, or nil.
func shortFlag(node *kong.Node, letter rune) *kong.Flag {
	for _, group := range node.AllFlags(false) {
		for _, flag := range group {
			if flag.Short == letter {
				return flag
			}
		}
	}
	return nil
}
