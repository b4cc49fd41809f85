package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// extract reads the paths that were visited. What it returns is a message in a
// queue: of much data a function would return the name of a file.
func extract(_ context.Context, path string) (visits []string, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			return nil, fmt.Errorf("%s: an empty line", path)
		}
		visits = append(visits, fields[0])
	}
	return visits, nil
}

func transform(_ context.Context, visits []string) (map[string]int, error) {
	counts := make(map[string]int)
	for _, path := range visits {
		counts[path]++
	}
	return counts, nil
}

type report struct {
	Path   string          `json:"path"`
	Counts json.RawMessage `json:"counts"`
}

// load may run twice, if the machine fails at the wrong moment, and does the same
// each time: it replaces the file.
func load(_ context.Context, in report) (pages int, err error) {
	var counts map[string]int
	if err := json.Unmarshal(in.Counts, &counts); err != nil {
		return 0, err
	}
	if err := os.WriteFile(in.Path+".new", in.Counts, 0o644); err != nil {
		return 0, err
	}
	return len(counts), os.Rename(in.Path+".new", in.Path)
}
