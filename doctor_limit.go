package weft

// noEnforcement says that a machine cannot enforce a limit.
const noEnforcement = "none"

// examineLimit is the finding about a limit, named as in a spec, where by says
// how this machine enforces it.
func examineLimit(name, by string) Finding {
	check := "limit " + name
	if by == noEnforcement {
		return note(check, by, "")
	}
	return fine(check, by)
}
