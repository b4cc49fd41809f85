package weft

// System is the upkeep of a project: copying it out and in, clearing up, and
// looking for what is wrong with it or its host.
type System struct{ c *Project }

// System gives access to the upkeep of the project.
func (c *Project) System() System { return System{c} }
