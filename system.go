package weft

// System is the upkeep of a project: copying it out and in, clearing up, and
// looking for what is wrong with it or its host.
type System struct{ project *Project }

// System gives access to the upkeep of the project.
func (p *Project) System() System { return System{p} }
