package weft

import (
	"fmt"
	"io"
	"runtime"

	"weft/taskspec"
)

// ParseSpec reads a template in JSON from r, to its end. A bad one gives a
// *[taskspec.ValidationError] that names every problem, and also what this
// version does not do yet.
func ParseSpec(r io.Reader) (*taskspec.Spec, error) {
	document, err := readDocument(r)
	if err != nil {
		return nil, err
	}
	return parse(document)
}

// ReadSpec is [ParseSpec] for a file. Where there is none the error wraps
// [ErrNoSpec].
func ReadSpec(path string) (*taskspec.Spec, error) {
	f := SpecFolder{}.documents()
	document, _, err := f.readFile(path)
	if err != nil {
		return nil, err
	}
	spec, err := parse(document)
	return spec, f.wrap(path, err)
}

// readDocument reads no more than it takes to see that a document is too long.
func readDocument(r io.Reader) ([]byte, error) {
	document, err := io.ReadAll(io.LimitReader(r, taskspec.MaxDocument+1))
	if err != nil {
		return nil, fmt.Errorf("read spec: %w", err)
	}
	return document, nil
}

func parse(document []byte) (*taskspec.Spec, error) {
	return taskspec.DecodeValid(document, templateRules())
}

// templateRules are what a spec must keep to be submitted here.
func templateRules() taskspec.Rules {
	return taskspec.Rules{Template: true, Cores: runtime.NumCPU(), Supported: true}
}
