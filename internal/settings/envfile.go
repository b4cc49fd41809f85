package settings

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/hashicorp/go-envparse"

	"weft/internal/project"
)

// envFileName is the variable that names a file with others.
const envFileName = "WEFT_ENV_FILE"

// FileEnv are the variables of the file that WEFT_ENV_FILE names. They are as good as
// those of the real environment, which wins.
type FileEnv map[string]string

// ReadFileEnv reads the file, if there is one. An error names the line, and never what
// stands there, which may be a secret.
func ReadFileEnv() (FileEnv, error) {
	path := os.Getenv(envFileName)
	if path == "" {
		return nil, nil
	}
	values, err := ParseEnvFile(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", envFileName, err)
	}
	return values, nil
}

// ParseEnvFile reads a file of lines NAME=VALUE. An error names the file and the line, and
// never what stands there, which may be a secret.
func ParseEnvFile(path string) (FileEnv, error) {
	data, err := project.ReadFile(path, maxConfig)
	if err != nil {
		return nil, err
	}
	values, err := envparse.Parse(bytes.NewReader(data))
	if e, ok := errors.AsType[*envparse.ParseError](err); ok {
		what, _, _ := strings.Cut(e.Err.Error(), ": ") // what follows is of the value
		return nil, fmt.Errorf("%s, line %d: %s", path, e.Line, what)
	}
	return values, err
}

// Lookup is the value of a variable, empty if there is none.
func (e FileEnv) Lookup(name string) string {
	if v, ok := os.LookupEnv(name); ok {
		return v
	}
	return e[name]
}

// Environ is the whole environment, for processes that need not know of the file.
func (e FileEnv) Environ() []string {
	env := os.Environ()
	if e == nil {
		return env
	}
	env = slices.DeleteFunc(env, func(entry string) bool { return strings.HasPrefix(entry, envFileName+"=") })
	names := make([]string, 0, len(e))
	for name := range e {
		if _, there := os.LookupEnv(name); !there {
			names = append(names, name)
		}
	}
	slices.Sort(names) // the same environments are kept once
	for _, name := range names {
		env = append(env, name+"="+e[name])
	}
	return env
}
