package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"weft/internal/settings"
	"weft/taskspec"
)

// settingsText describes every setting.
func settingsText() string {
	var b strings.Builder
	for _, s := range settings.Table() {
		entry(&b, fmt.Sprintf("%s, %s (default: %s)", s.Variable(), s.Key, s.Default), s.About)
	}
	return strings.TrimSpace(b.String())
}

// fieldsText describes every field of a spec.
func fieldsText() string {
	var root specField
	if err := json.Unmarshal(taskspec.Schema(taskspec.Rules{Template: true}), &root); err != nil {
		panic(err) // it was made by this program
	}
	var b strings.Builder
	root.describe(&b, "")
	return strings.TrimSpace(b.String())
}

// A specField is what help shows of the JSON Schema of a field.
type specField struct {
	Description string
	Default     json.RawMessage
	Enum        []string
	Properties  map[string]specField
	Required    []string
}

// describe writes an entry for each field below f.
func (f specField) describe(b *strings.Builder, prefix string) {
	for _, name := range slices.Sorted(maps.Keys(f.Properties)) {
		field := f.Properties[name]
		head, about := prefix+name, field.Description
		switch {
		case slices.Contains(f.Required, name):
			head += " (required)"
		case len(field.Default) > 0 && string(field.Default) != "[]" && string(field.Default) != "{}":
			head += " (default: " + string(field.Default) + ")"
		}
		if len(field.Enum) > 0 {
			about += " It is " + alternatives(field.Enum) + "."
		}
		entry(b, head, about)
		field.describe(b, prefix+name+".")
	}
}

// entry writes what has a name, and below it what there is to say about it.
func entry(b *strings.Builder, head, about string) {
	const width = 80
	b.WriteString(head)
	column := width
	for word := range strings.FieldsSeq(about) {
		if column+1+len(word) > width {
			b.WriteString("\n   ")
			column = 3
		}
		b.WriteString(" " + word)
		column += 1 + len(word)
	}
	b.WriteString("\n\n")
}
