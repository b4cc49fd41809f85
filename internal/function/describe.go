package function

import (
	"encoding/json"
	"fmt"
	"io"
)

// A Listing is a program's answer when it is asked for its functions.
type Listing struct {
	Build     string        `json:"build"`
	Functions []Description `json:"functions"`
}

// Describe writes the functions of a program of this build.
func Describe(w io.WriteCloser, build string, r *Registry) error {
	err := json.NewEncoder(w).Encode(Listing{Build: build, Functions: r.Describe()})
	if err != nil {
		return fmt.Errorf("describe functions: %w", err)
	}
	return w.Close()
}
