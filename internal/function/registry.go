package function

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// A Registry holds functions by their names. The zero value is empty. It is safe
// for concurrent use.
type Registry struct {
	mu     sync.RWMutex
	byName map[string]*Function
}

// Add adds a function. It refuses an invalid name and one that is registered already.
func (r *Registry) Add(f *Function) error {
	if err := CheckName(f.name); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byName[f.name] != nil {
		return fmt.Errorf("function %s is registered twice", f.name)
	}
	if r.byName == nil {
		r.byName = make(map[string]*Function)
	}
	r.byName[f.name] = f
	return nil
}

// Get returns the function with this name, nil if there is none.
func (r *Registry) Get(name string) *Function {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.byName[name]
}

// Names returns the names of all functions, sorted.
func (r *Registry) Names() []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.Sorted(maps.Keys(r.byName))
}

// Describe describes all functions, sorted by their names.
func (r *Registry) Describe() []Description {
	var all []Description
	for _, name := range r.Names() {
		all = append(all, r.Get(name).Describe())
	}
	return all
}

// maxName is the maximum length of a function's name, that of a task's name.
const maxName = 200

// ErrName is returned by [CheckName].
var ErrName = errors.New("bad function name")

// CheckName returns [ErrName] unless the name of a function is valid: it starts with a
// letter or "_", continues with letters, digits and any of "_.:/-", all of them ASCII, and
// has at most 200 characters.
func CheckName(name string) error {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
	if name == "" || len(name) > maxName || !strings.Contains(letters, name[:1]) || strings.Trim(name, letters+"0123456789.:/-") != "" {
		return fmt.Errorf("%w %.64q: want a letter or _, then letters, digits and any of _ . : / -, at most %d", ErrName, name, maxName)
	}
	return nil
}
