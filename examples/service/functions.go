package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"weft"
)

type page struct {
	URL string `json:"url" jsonschema:"where it is"`
}

type size struct {
	Bytes int64 `json:"bytes"`
}

// fetch ends early when ctx does: when the task is stopped or out of time.
func fetch(ctx context.Context, in page) (size, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, in.URL, nil)
	if err != nil {
		return size{}, err
	}
	weft.Logger(ctx).Info("fetch", "url", in.URL) // goes to the standard error of the task
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return size{}, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return size{}, fmt.Errorf("get %s: %s", in.URL, response.Status)
	}
	n, err := io.Copy(io.Discard, response.Body)
	return size{n}, err
}

type text struct {
	Text string `json:"text"`
}

func count(_ context.Context, in text) (map[string]int, error) {
	words := make(map[string]int)
	for word := range strings.FieldsSeq(strings.ToLower(in.Text)) {
		words[word]++
	}
	return words, nil
}
