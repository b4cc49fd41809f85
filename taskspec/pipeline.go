package taskspec

// Pipeline is a pipeline as it stands in JSON: stages that are run one after the
// other. Its zero value lacks a name and stages, which [Pipeline.Validate] says.
type Pipeline struct {
	// Name is required, and like that of a task.
	Name string `json:"name"`
	// Description is free text for people.
	Description string `json:"description,omitempty"`
	// Stages are required, from 1 to 100 of them.
	Stages []PipelineStage `json:"stages"`
}

// PipelineStage is a stage of a pipeline: a stored task, and what lies over it.
type PipelineStage struct {
	// Name is what the stage is called; empty means Task. No two stages of a
	// pipeline have the same.
	Name string `json:"name,omitempty"`
	// Task is the name of a stored spec. It is required.
	Task string `json:"task"`
	// Defaults lie over the task. An input is worked on instead of what the stage
	// before has written; of the first stage, by a run that brings none.
	Defaults Defaults `json:"defaults,omitzero"`
	// IO lies over the task's.
	IO IO `json:"io_overrides,omitzero"`
}

// MaxStages is how many stages a pipeline may have: all of them are in its
// record, which changes with each.
const MaxStages = 100

// StageName is what the stage is called.
func (s *PipelineStage) StageName() string {
	if s.Name == "" {
		return s.Task
	}
	return s.Name
}

// Over returns what task becomes as this stage: see [Defaults.Over], and, whether it
// can be a stage, [Spec.StageProblems].
func (s *PipelineStage) Over(task *Spec) *Spec {
	t := s.Defaults.Over(task)
	t.Name = s.StageName()
	t.IO = IO{
		Inputs:  over(task.IO.Inputs, s.IO.Inputs),
		Outputs: over(task.IO.Outputs, s.IO.Outputs),
		Control: over(task.IO.Control, s.IO.Control),
	}
	return t
}

// DecodePipeline reads one pipeline from JSON, as strictly as [Decode] reads a
// spec, and checks it as [Pipeline.Validate] does. All that is wrong is in one
// *[ValidationError]. Whether there are the tasks that it names, it does not know.
func DecodePipeline(data []byte) (*Pipeline, error) { return pipelines.decodeValid(data, Rules{}) }

// Validate returns a *[ValidationError] with all that is wrong with the pipeline
// itself; its tasks are not looked at.
func (p *Pipeline) Validate() error { return pipelines.validate(p, Rules{}) }

// PipelineSchema is [Schema] for pipelines. That no two stages have the same name
// is beyond it.
func PipelineSchema() []byte { return pipelines.schema(Rules{}) }

var pipelines = &document[Pipeline]{
	title:  "Weft pipeline",
	about:  "Tasks that are run one after the other, each with what the one before it has written.",
	format: pipelineFormat,
	also: func(c *checker, p *Pipeline) {
		seen := make(map[string]bool)
		for i := range p.Stages {
			name := p.Stages[i].StageName()
			if name != "" && seen[name] {
				c.add(element("stages", i)+".name", "is that of another stage, "+quote(name)+": give it one of its own")
			}
			seen[name] = true
		}
	},
}

// pipelineFormat is [format] for a pipeline.
func pipelineFormat() map[string]entry {
	name := nameRules(maxName)
	f := map[string]entry{
		"name":        row("What the pipeline is called in lists and events.", name...).required("required"),
		"description": row("Free text for people.", unicodeRule()),
		"stages": row("What is run, in this order. The first stage that does not complete ends the pipeline.",
			stageCount{}).required("required: at least one stage"),
		"stages[].name":         row("What the stage is called; by default as its task. No two stages have the same name.", name...),
		"stages[].task":         row("The name of a stored spec.", name...).required("required: the name of a stored spec"),
		"stages[].io_overrides": row("Queues that the stage uses instead of its own."),
		"stages[].io_overrides.inputs": row(`From "inbox" to the queue that the stage takes its work item from, instead of what the stage before has written.`,
			queuesRule()),
		"stages[].io_overrides.outputs": row(`From "outbox" to the queue that the result goes to if the stage completes; the next stage gets it as well.`,
			queuesRule()),
		"stages[].io_overrides.control": row(`From "ctrl_in" to a queue whose control messages the stage obeys, and from "ctrl_out" to the one that it answers into.`,
			queuesRule()),
	}
	describeDefaults(f, "stages[].defaults", "What the stage works with beside what its task says.",
		"The work item, instead of what the stage before has written. Of the first stage: that of a run that brings none.")
	return f
}
