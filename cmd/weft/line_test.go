package main

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"pgregory.net/rapid"
)

// TestLineIsKongs: what is refused before kong reads a line is what kong would refuse, and kong
// refuses nothing else, so that nobody sees its words.
func TestLineIsKongs(t *testing.T) {
	t.Parallel()
	root := newParser(&globals{}, commands(), []string{""}).Model.Node
	groups := [][]string{{""}}
	for _, node := range root.Children {
		groups = append(groups, []string{node.Name})
		for _, child := range node.Children {
			groups = append(groups, []string{node.Name, child.Name})
		}
	}
	// Values that every option takes: a number, which is a duration and a size.
	plain := []string{"5", "-", "--", "-5", "nosuch", "", "--no", "-h5", "-qz", "--=", "---", "-é"}
	refused, taken := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		line := slices.Clone(rapid.SampledFrom(groups).Draw(t, "command"))
		if line[0] == "" {
			line = []string{rapid.SampledFrom([]string{"nosuch", "--json", "run"}).Draw(t, "first")}
		}
		node := root
		for _, name := range line {
			if child := childNamed(node, name); child != nil {
				node = child
			}
		}
		words := slices.Clone(plain)
		for _, flag := range slices.Concat(node.AllFlags(false)...) {
			if flag.Name == "help" {
				continue // it ends the program
			}
			for _, name := range flagNames(flag) {
				words = append(words, "--"+name)
				if !flag.IsBool() {
					words = append(words, "--"+name+"=5")
				}
			}
			if flag.Short != 0 {
				words = append(words, "-"+string(flag.Short), "-"+string(flag.Short)+"5")
			}
		}
		line = append(line, rapid.SliceOfN(rapid.SampledFrom(words), 0, 5).Draw(t, "words")...)
		parser := newParser(&globals{}, commands(), line)
		cur := walk(parser.Model.Node, line)
		if slices.ContainsFunc(cur.given, func(f *kong.Flag) bool { return f.Name == "help" }) {
			t.Skip()
		}
		mine := cur.check()
		_, kongs := parser.Parse(line[:cur.words])
		if kongs != nil && strings.Contains(kongs.Error(), ": want ") {
			return // a mapper of ours has said it
		}
		if (mine == nil) != (kongs == nil) {
			t.Fatalf("%q: %v, kong: %v", line, mine, kongs)
		}
		if mine == nil {
			taken++
		} else {
			refused++
		}
	})
	if taken < 5 || refused < 5 {
		t.Errorf("%d lines are taken, %d refused: this tests nothing", taken, refused)
	}
}

// kongsWords are what errors of kong's begin with, or hold.
var kongsWords = regexp.MustCompile(`expected |EOL|must be one of|missing |unexpected |unknown flag|bit int|a float|can't be used|invalid syntax`)

// TestOwnWords gives every option of every command no value, and one that it cannot read; what is said
// names the option, and says it in our words.
func TestOwnWords(t *testing.T) {
	t.Parallel()
	whole := newParser(&globals{}, commands(), []string{""})
	said := 0
	for _, leaf := range whole.Model.Leaves(true) {
		command := strings.Fields(path(leaf))
		var needed []string
		for _, arg := range leaf.Positional {
			if arg.Required {
				needed = append(needed, "1")
			}
		}
		flags := slices.Concat(leaf.AllFlags(true)...)
		for _, flag := range flags {
			if flag.Required {
				needed = append(needed, "--"+flag.Name, "1")
			}
		}
		for _, flag := range flags {
			if flag.Name == "help" {
				continue
			}
			name := "--" + flag.Name
			wrong := [][]string{{name}, {name + "=\x00?"}, {name + "x"}}
			if !flag.IsBool() {
				wrong = append(wrong, []string{name, "-x"})
			}
			for _, words := range wrong {
				line := slices.Concat(command, needed, words)
				_, _, err := parse(newParser(&globals{}, commands(), line), line)
				if err == nil {
					continue
				}
				said++
				if kongsWords.MatchString(err.Error()) || !strings.Contains(err.Error(), "--"+flag.Name) {
					t.Errorf("%q: %v", line, err)
				}
			}
		}
		if len(needed) > 0 {
			_, _, err := parse(newParser(&globals{}, commands(), command), command)
			if _, ours := errors.AsType[usageError](err); !ours || !strings.Contains(err.Error(), "give ") {
				t.Errorf("%q: %v", command, err)
			}
		}
	}
	if said < 300 {
		t.Errorf("%d errors: this tests nothing", said)
	}
}

// TestOtherWords: every word of other programs leads to a command that there is, and is none itself
// unless a group lacks it.
func TestOtherWords(t *testing.T) {
	t.Parallel()
	for word := range otherWords() {
		if len(meantCommands("", word)) == 0 && len(meantCommands("queue", word)) == 0 {
			t.Errorf("%q leads nowhere", word)
		}
		if isCommand(word) && len(meantCommands("queue", word)) == 0 {
			t.Errorf("%q is a command", word)
		}
	}
}
