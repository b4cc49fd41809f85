package weft

// System is the upkeep of a project: copying it out and in, clearing up, and
// looking for problems of the project or the machine.
type System struct{ project *Project }

// System gives access to the upkeep of the project.
func (p *Project) System() System { return System{p} }
