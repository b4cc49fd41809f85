package weft

import (
	"slices"

	"weft/taskspec"
)

// noEnforcement is how a host holds tasks to a limit that cannot.
const noEnforcement = "none"

// examineLimit is the finding about a limit, named as in a spec, where by says
// how this host holds tasks to it.
func examineLimit(name, by string) Finding {
	check := "limit " + name
	switch {
	case refused("spec.limits." + name):
		return note(check, "not enforced yet, a task that asks for it is refused; here it would be: "+by, "")
	case by == noEnforcement:
		return note(check, by, "")
	}
	return fine(check, by)
}

// refused reports whether this version refuses a spec because of the limit at
// path.
func refused(path string) bool {
	limited := taskspec.Spec{Spec: taskspec.Work{Limits: taskspec.Limits{
		MemoryMB: new(1.0), CPUPercent: new(1.0), MaxFDs: new(1), MaxConnections: new(1),
	}}}
	return slices.ContainsFunc(limited.Unsupported(), func(p taskspec.Problem) bool { return p.Path == path })
}
