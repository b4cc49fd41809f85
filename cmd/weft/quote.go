package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"weft"
	"weft/taskspec"
)

// commandText is what a task runs, on one line: a command as a shell would read it, a
// function as a call, a pipeline as its stages. It is empty if that is not known.
func commandText(s *weft.TaskStatus) string {
	if s.Pipeline {
		return strings.Join(s.StageNames, " | ")
	}
	spec := s.Spec()
	switch {
	case spec == nil:
		return ""
	case spec.Type == taskspec.KindFunction:
		return callText(spec)
	}
	argv, err := spec.Argv()
	if err != nil {
		return ""
	}
	return shellText(argv)
}

// callText is a function's name and its arguments, as JSON.
func callText(spec *taskspec.Spec) string {
	var args []string
	for _, arg := range spec.Args {
		args = append(args, jsonText(arg))
	}
	for _, name := range slices.Sorted(maps.Keys(spec.KeywordArgs)) {
		args = append(args, name+"="+jsonText(spec.KeywordArgs[name]))
	}
	return fmt.Sprintf("%s(%s)", spec.FunctionTarget, strings.Join(args, ", "))
}

func jsonText(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return "?"
	}
	return string(text)
}

// shellText is a command as a shell would read it.
func shellText(argv []string) string {
	words := make([]string, len(argv))
	for i, word := range argv {
		words[i] = quoteWord(word)
	}
	if words[0] == argv[0] && strings.Contains(argv[0], "=") {
		words[0] = "'" + argv[0] + "'" // or it would be an assignment
	}
	return strings.Join(words, " ")
}

// quoteWord quotes a word for a shell where that is needed: in '…', and where it holds what
// cannot be shown in $'…', which bash, zsh and ksh know.
func quoteWord(word string) string {
	plain, shown := word != "" && word[0] != '=', utf8.ValidString(word)
	for _, r := range word {
		plain = plain && isPlain(r)
		shown = shown && strconv.IsGraphic(r)
	}
	switch {
	case plain && shown, word == "{}":
		return word
	case shown:
		return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	quoted := strconv.QuoteToGraphic(word)
	quoted = strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
	return "$'" + strings.ReplaceAll(quoted, "'", `\'`) + "'"
}

// isPlain reports whether a character means nothing to a shell.
func isPlain(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_@%+=:,./-", r) ||
		r > utf8.RuneSelf && !unicode.IsSpace(r)
}
