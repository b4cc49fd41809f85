package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// A plan is what a run works on. The paths are absolute.
type plan struct {
	Log    string `json:"log" jsonschema:"one visit on each line, the path first"`
	Report string `json:"report" jsonschema:"the file that is written"`
}

// What one stage gives to the next is a message in a queue: of much data it would
// give the name of a file.
type (
	extracted struct {
		Report string   `json:"report"`
		Visits []string `json:"visits"`
	}
	transformed struct {
		Report string         `json:"report"`
		Counts map[string]int `json:"counts"`
	}
)

// extract reads the paths that were visited.
func extract(_ context.Context, in plan) (out extracted, err error) {
	text, err := os.ReadFile(in.Log)
	if err != nil {
		return out, err
	}
	out.Report = in.Report
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			return out, fmt.Errorf("%s: an empty line", in.Log)
		}
		out.Visits = append(out.Visits, fields[0])
	}
	return out, nil
}

func transform(_ context.Context, in extracted) (transformed, error) {
	counts := make(map[string]int)
	for _, path := range in.Visits {
		counts[path]++
	}
	return transformed{Report: in.Report, Counts: counts}, nil
}

// load may run twice, if the machine fails at the wrong time, and does the same
// each time: it replaces the file.
func load(_ context.Context, in transformed) (pages int, err error) {
	text, err := json.Marshal(in.Counts)
	if err != nil {
		return 0, err
	}
	if err := os.WriteFile(in.Report+".new", text, 0o644); err != nil {
		return 0, err
	}
	return len(in.Counts), os.Rename(in.Report+".new", in.Report)
}
