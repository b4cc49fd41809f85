package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// printReference prints the help of every command as a page of Markdown, without the options
// that all of them have.
func (a *app) printReference() error {
	parser := newParser(&globals{}, commands(), []string{""})
	var page strings.Builder
	parser.Stdout = &page
	for _, flag := range parser.Model.Flags {
		flag.Hidden = true
	}
	return eachCommand(parser.Model.Node, func(node *kong.Node) error {
		command := path(node)
		ctx, err := kong.Trace(parser, strings.Fields(command))
		if err != nil {
			return err
		}
		fmt.Fprintf(&page, "\n%s weft %s\n\n```text\n", strings.Repeat("#", 1+len(strings.Fields(command))), command)
		if err := printHelp(helpOptions(80), ctx); err != nil {
			return err
		}
		page.WriteString("```\n")
		a.stdout.Printf("%s", page.String())
		page.Reset()
		return nil
	})
}

// helpOptions are how kong prints help, in lines of that length at most, or of any if it is 0.
func helpOptions(width int) kong.HelpOptions {
	return kong.HelpOptions{NoExpandSubcommands: true, Compact: true, WrapUpperBound: width, ValueFormatter: kong.DefaultHelpValueFormatter}
}

// eachCommand calls do for every command below a group, and the groups themselves.
func eachCommand(group *kong.Node, do func(*kong.Node) error) error {
	for _, node := range group.Children {
		if node.Hidden {
			continue
		}
		if err := do(node); err != nil {
			return err
		}
		if err := eachCommand(node, do); err != nil {
			return err
		}
	}
	return nil
}

// writeManual writes a manual page for weft, each of its commands, and each topic.
func writeManual(dir string) error {
	write := func(name string, section int, page string) error {
		dir := filepath.Join(dir, fmt.Sprintf("man%d", section))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s.%d", name, section)), []byte(page), 0o644)
	}
	root := newParser(&globals{}, commands(), []string{""}).Model.Node
	if err := write("weft", 1, rootPage(root)); err != nil {
		return err
	}
	for _, topic := range topics() {
		name := "weft-" + topic
		page := head(name, 7, "a topic of weft") + ".SH DESCRIPTION\n" + roff(section("help "+topic))
		if err := write(name, 7, page); err != nil {
			return err
		}
	}
	return eachCommand(root, func(node *kong.Node) error {
		return write(pageName(node), 1, commandPage(node))
	})
}

// pageName is what the manual page of a command is called.
func pageName(node *kong.Node) string { return "weft-" + strings.ReplaceAll(path(node), " ", "-") }

// rootPage is the manual page of the program.
func rootPage(root *kong.Node) string {
	var b strings.Builder
	b.WriteString(head("weft", 1, "durable tasks and queues in one file"))
	b.WriteString(".SH SYNOPSIS\n.B weft\n<command> [flags]\n.SH COMMANDS\n")
	for _, node := range root.Children {
		if !node.Hidden {
			fmt.Fprintf(&b, ".TP\n.BR %s (1)\n%s\n", escapeRoff(pageName(node)), escapeRoff(node.Help))
		}
	}
	writeFlags(&b, "OPTIONS OF EVERY COMMAND", root.Flags)
	seeAlso(&b, nil)
	return b.String()
}

// commandPage is the manual page of a command.
func commandPage(node *kong.Node) string {
	var b strings.Builder
	b.WriteString(head(pageName(node), 1, strings.TrimSuffix(node.Help, ".")))
	usage := "[flags]" + strings.TrimPrefix(strings.TrimSuffix(node.Summary(), " [flags]"), node.Path())
	if takesCommand(node.Name) {
		usage = "[flags] <command> [<args>]"
	}
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B weft %s\n%s\n", escapeRoff(path(node)), escapeRoff(usage))
	about, examples, _ := strings.Cut("\n\n"+detail(path(node)), "\n\nExamples:\n")
	fmt.Fprintf(&b, ".SH DESCRIPTION\n%s\n%s", escapeRoff(node.Help), roff(about))
	if len(node.Positional) > 0 {
		b.WriteString(".SH ARGUMENTS\n")
		for _, arg := range node.Positional {
			fmt.Fprintf(&b, ".TP\n.I %s\n%s\n", escapeRoff(arg.Name), escapeRoff(arg.Help))
		}
	}
	if len(node.Children) > 0 {
		b.WriteString(".SH COMMANDS\n")
		for _, child := range node.Children {
			fmt.Fprintf(&b, ".TP\n.BR %s (1)\n%s\n", escapeRoff(pageName(child)), escapeRoff(child.Help))
		}
	}
	writeFlags(&b, "OPTIONS", node.Flags)
	if examples != "" {
		b.WriteString(".SH EXAMPLES\n" + roff(examples))
	}
	seeAlso(&b, node)
	return b.String()
}

// head begins a manual page.
func head(name string, section int, about string) string {
	return fmt.Sprintf(".TH %s %d \"\" weft\n.SH NAME\n%s \\- %s\n", strings.ToUpper(escapeRoff(name)), section, escapeRoff(name), escapeRoff(about))
}

// writeFlags describes options.
func writeFlags(b *strings.Builder, title string, flags []*kong.Flag) {
	flags = slices.DeleteFunc(slices.Clone(flags), func(f *kong.Flag) bool { return f.Hidden })
	if len(flags) == 0 {
		return
	}
	fmt.Fprintf(b, ".SH %s\n", title)
	for _, flag := range flags {
		name := "--" + strings.Join(flagNames(flag), ", --")
		if flag.Short != 0 {
			name = fmt.Sprintf("-%c, %s", flag.Short, name)
		}
		if !flag.IsBool() {
			name += " " + placeholder(flag)
		}
		fmt.Fprintf(b, ".TP\n.B %s\n%s\n", escapeRoff(name), escapeRoff(flag.Help))
	}
}

// seeAlso ends the page of a command, or of the program where it is nil.
func seeAlso(b *strings.Builder, node *kong.Node) {
	b.WriteString(".SH SEE ALSO\n")
	if node != nil {
		b.WriteString(".BR weft (1),\n")
	}
	if node != nil && node.Parent.Parent != nil {
		fmt.Fprintf(b, ".BR %s (1),\n", escapeRoff(pageName(node.Parent)))
	}
	for i, topic := range topics() {
		end := ","
		if i == len(topics())-1 {
			end = ""
		}
		fmt.Fprintf(b, ".BR %s (7)%s\n", escapeRoff("weft-"+topic), end)
	}
}

// roff is a text of help in the language of manual pages: lines with four spaces before
// them stay as they are, or explain the line that they follow.
func roff(text string) string {
	var b strings.Builder
	for block := range strings.SplitSeq(strings.Trim(text, "\n"), "\n\n") {
		first, rest, more := strings.Cut(block, "\n")
		switch {
		case block == "":
		case strings.HasPrefix(block, "    "):
			fmt.Fprintf(&b, ".PP\n.nf\n%s\n.fi\n", escapeRoff(block))
		case more && strings.HasPrefix(rest, "    "):
			fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", escapeRoff(first), escapeRoff(strings.ReplaceAll(rest, "    ", "")))
		default:
			fmt.Fprintf(&b, ".PP\n%s\n", escapeRoff(block))
		}
	}
	return b.String()
}

// escapeRoff is a text that means itself in the language of manual pages.
func escapeRoff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}
