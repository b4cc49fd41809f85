package taskspec

// entry is what the format says about one field, beside its name and its form.
type entry struct {
	about     string // a sentence for people
	byDefault any    // what it is where it is not there; nil for nothing
	missing   string // the problem if it is not there; empty if it need not be
	kind      Kind   // the only kind of work that has it; empty for all
	spawned   bool   // only a spawned task has it, never a template
	rules     []rule // which values it may have; none for all of its form
	raw       bool   // its text may be any bytes: see [RawString]
}

// format returns what there is to say about every field, by its path. The
// checks of [Spec.Validate] and the [Schema] are both read from it.
func format() map[string]entry {
	policies := choice{string(PolicyKeep), string(PolicyRequeue), string(PolicyClear)}
	return map[string]entry{
		"tid": {
			about:   "The id of the task, 19 digits.",
			spawned: true,
			rules:   []rule{tidRule()},
		},
		"version": {
			about:     "The version of this format.",
			byDefault: Version,
			rules:     []rule{versionRule()},
		},
		"name": {
			about:   "What the task is called in lists, events and process titles.",
			missing: "required",
			rules:   []rule{lengthRule(maxName), printableRule(), unicodeRule()},
		},
		"description": {
			about: "Free text for people.",
			rules: []rule{unicodeRule()},
		},
		"spec": {
			about:   "What the task does, and how.",
			missing: "required",
		},
		"spec.type": {
			about:   "Who does the work: a process of its own, or a registered Go function.",
			missing: `required: "command" or "function"`,
			rules:   []rule{choice{string(KindCommand), string(KindFunction)}},
		},
		"spec.process_target": {
			about:   "The program of a command: a path, or a name that is looked up in PATH.",
			missing: "required for a command",
			kind:    KindCommand,
			rules:   []rule{osRule()},
			raw:     true,
		},
		"spec.function_target": {
			about:   "The registered name of a function.",
			missing: "required for a function",
			kind:    KindFunction,
			rules:   []rule{osRule(), unicodeRule()},
		},
		"spec.args": {
			about:     "Follow the program in a command's argument vector (strings and numbers only), or are passed to the function (any values).",
			byDefault: []any{},
			rules:     []rule{arguments{}},
		},
		"spec.keyword_args": {
			about:     "Passed to a function by name. A command takes none.",
			byDefault: map[string]any{},
			kind:      KindFunction,
			rules:     []rule{free{}},
		},
		"spec.timeout": {
			about: "How long the work may take, in seconds from its start. None by default.",
			rules: []rule{span{most: maxSeconds, open: true, unit: " seconds"}},
		},
		"spec.stop_grace": {
			about:     "The time between SIGTERM and SIGKILL, in seconds.",
			byDefault: defaultGraceSeconds,
			rules:     []rule{span{most: maxSeconds, unit: " seconds"}},
		},
		"spec.limits": {
			about: "What the task and all its processes may use together. A task that goes over one is killed.",
		},
		"spec.limits.memory_mb": {
			about: "Resident memory in MiB. No limit by default.",
			rules: []rule{span{least: 1, most: maxMB}},
		},
		"spec.limits.cpu_percent": {
			about: "Percent of one core, up to 100 for each core of the machine. No limit by default.",
			rules: []rule{coreShare{}},
		},
		"spec.limits.max_fds": {
			about: "Open file descriptors. No limit by default.",
			rules: []rule{span{least: 1}},
		},
		"spec.limits.max_connections": {
			about: "Network connections. No limit by default.",
			rules: []rule{span{}},
		},
		"spec.env": {
			about:     "Variables that lie over the submitter's environment.",
			byDefault: map[string]string{},
			rules:     []rule{members{keys: []*textRule{variableRule()}, values: []*textRule{osRule()}}},
			raw:       true,
		},
		"spec.env_from": {
			about:     "Names of variables that are taken from the submitter's environment, so that a secret need not stand here.",
			byDefault: []string{},
			rules:     []rule{elements{variableRule()}},
		},
		"spec.working_dir": {
			about: "Where the work runs. By default the submitter's directory.",
			rules: []rule{osRule()},
			raw:   true,
		},
		"spec.interactive": {
			about:     "Makes each item of the inbox a line of the command's input.",
			byDefault: false,
		},
		"spec.tty": {
			about:     "Gives the command a pseudo-terminal.",
			byDefault: false,
		},
		"spec.stream_output": {
			about:     "Puts the output into the outbox in chunks, as it is written.",
			byDefault: false,
		},
		"spec.cleanup_on_exit": {
			about:     "Drains the inbox and the control queues at the end.",
			byDefault: true,
		},
		"spec.persistent": {
			about:     "Makes the task take item after item from its inbox until it is stopped. Timeout, limits and policies are those of an item.",
			byDefault: false,
		},
		"spec.polling_interval": {
			about:     "The time between two samples of what the task uses, in seconds.",
			byDefault: defaultPollingSeconds,
			rules:     []rule{span{most: maxSeconds, open: true, unit: " seconds"}},
		},
		"spec.reporting_interval": {
			about:     "When there is an event: at transitions, or with poll at every sample as well.",
			byDefault: ReportTransition,
			rules:     []rule{choice{ReportTransition, ReportPoll}},
		},
		"spec.enable_process_title": {
			about:     "Shows the task in the process title of its consumer.",
			byDefault: true,
		},
		"spec.output_size_limit_mb": {
			about:     "In MiB. A larger output spills to a file; with 0 every output does.",
			byDefault: defaultOutputMB,
			rules:     []rule{span{most: maxMB}},
		},
		"spec.reserved_policy_on_error": {
			about:     "What becomes of the message after an error, a timeout, a limit or a loss.",
			byDefault: string(PolicyKeep),
			rules:     []rule{policies},
		},
		"spec.reserved_policy_on_stop": {
			about:     "What becomes of the message after a stop or a kill.",
			byDefault: string(PolicyKeep),
			rules:     []rule{policies},
		},
		"spec.on_manager_loss": {
			about:     "What the task does when its manager is gone.",
			byDefault: LossContinue,
			rules:     []rule{choice{LossContinue, LossStop}},
		},
		"spec.weft_context": {
			about:   "The root of the project.",
			spawned: true,
			rules:   []rule{osRule()},
			raw:     true,
		},
		"spec.retry": {
			about: "When an attempt that did not complete is followed by another. Never by default.",
		},
		"spec.retry.max_attempts": {
			about:     "How many attempts there may be, the first included.",
			byDefault: defaultAttempts,
			rules:     []rule{span{least: 1, most: maxAttempts}},
		},
		"spec.retry.backoff_seconds": {
			about:     "The time between the end of the first attempt and the second, in seconds. It doubles from attempt to attempt.",
			byDefault: defaultBackoffSeconds,
			rules:     []rule{span{most: maxSeconds, unit: " seconds"}},
		},
		"spec.retry.max_backoff_seconds": {
			about: "The longest that time gets, in seconds. By default 60, or backoff_seconds if that is more.",
			rules: []rule{span{most: maxSeconds, unit: " seconds"}},
		},
		"spec.retry.jitter": {
			about:     "By how much of itself that time may be shorter, at random, so that tasks that failed together do not come again together.",
			byDefault: defaultJitter,
			rules:     []rule{span{most: 1}},
		},
		"spec.retry.on": {
			about:     "Which ends are followed by another attempt. A stop and a kill never are.",
			byDefault: retryCauses(),
			rules:     []rule{elements{oneOf(retryCauses())}},
		},
		"spec.delay_seconds": {
			about:     "The least time between the submission and the first attempt, in seconds.",
			byDefault: 0,
			rules:     []rule{span{most: maxSeconds, unit: " seconds"}},
		},
		"spec.isolation": {
			about:     "Where a function runs: in a process of its own, or inline, inside the program that serves it, without limits.",
			byDefault: IsolationProcess,
			rules:     []rule{choice{IsolationProcess, IsolationInline}},
		},
		"spec.key": {
			about: "A name that stands for the task: while it is known, submitting the same again returns it instead of making another.",
			rules: []rule{lengthRule(maxKey), printableRule(), unicodeRule()},
		},
		"io": {
			about: "Queues that the task uses instead of its own.",
		},
		"io.inputs": {
			about: `From "inbox" to the queue that the task takes its work item from: it waits until there is one.`,
			rules: []rule{queuesRule()},
		},
		"io.outputs": {
			about: `From "outbox" to the queue that the result goes to if the task completes.`,
			rules: []rule{queuesRule()},
		},
		"io.control": {
			about: `From "ctrl_in" to a queue whose control messages the task obeys, and from "ctrl_out" to the one that it answers into.`,
			rules: []rule{queuesRule()},
		},
		"state": {
			about:   "What has become of the task.",
			spawned: true,
		},
		"state.status": {
			about: "Where the task is in its life.",
			rules: []rule{statusChoice()},
		},
		"state.return_code": {
			about: "What the task returned, or what a shell would say it did.",
		},
		"state.signal": {
			about: "The signal that the command died of.",
			rules: []rule{unicodeRule()},
		},
		"state.started_at": {
			about: "When the work began, in nanoseconds since 1970.",
			rules: []rule{span{}},
		},
		"state.completed_at": {
			about: "When the task ended, in nanoseconds since 1970.",
			rules: []rule{span{}},
		},
		"state.pid": {
			about: "The task's own process.",
			rules: []rule{span{}},
		},
		"state.attempt": {
			about: "Counts the dispatches.",
			rules: []rule{span{}},
		},
		"state.error": {
			about: "Why the task did not complete.",
			rules: []rule{unicodeRule()},
		},
		"state.time": {
			about: "How long the work took, in seconds.",
			rules: []rule{span{}},
		},
		"state.memory": {
			about: "Resident memory in MiB.",
			rules: []rule{span{}},
		},
		"state.cpu": {
			about: "Percent of one core.",
			rules: []rule{span{}},
		},
		"state.fds": {
			about: "Open file descriptors.",
			rules: []rule{span{}},
		},
		"state.net_connections": {
			about: "Network connections.",
			rules: []rule{span{}},
		},
		"state.peak_memory": {
			about: "The most resident memory, in MiB.",
			rules: []rule{span{}},
		},
		"state.peak_cpu": {
			about: "The most percent of one core.",
			rules: []rule{span{}},
		},
		"state.peak_fds": {
			about: "The most open file descriptors.",
			rules: []rule{span{}},
		},
		"state.peak_net_connections": {
			about: "The most network connections.",
			rules: []rule{span{}},
		},
		"metadata": {
			about:     "The submitter's own. Two names have a meaning: tags, and parent_tid, the task that submitted this one.",
			byDefault: map[string]any{},
			rules:     []rule{metadata{}},
		},
	}
}
