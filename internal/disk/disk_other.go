//go:build !linux && !darwin

package disk

// SpaceIn does not know how much space there is.
func SpaceIn(string) (Space, bool) { return Space{}, false }
