package taskspec

// entry is what the format says about one field, beside its name and its form.
type entry struct {
	about     string // a sentence for people
	rules     []rule // which values it may have; none for all of its form
	missing   string // the problem if it is not there; empty if it need not be
	kind      Kind   // the only kind of work that has it; empty for all
	byDefault any    // what it is where it is not there; nil for nothing
	spawned   bool   // only a spawned task has it, never a template
	raw       bool   // its text may be any bytes: see [RawString]
}

func row(about string, rules ...rule) entry { return entry{about: about, rules: rules} }

func (e entry) required(problem string) entry { e.missing = problem; return e }
func (e entry) onlyFor(kind Kind) entry       { e.kind = kind; return e }
func (e entry) defaults(value any) entry      { e.byDefault = value; return e }
func (e entry) whenSpawned() entry            { e.spawned = true; return e }
func (e entry) anyBytes() entry               { e.raw = true; return e }

// nameRules are the rules for the name of a task, a pipeline or a service, or for a key.
func nameRules(most int) []rule { return []rule{lengthRule(most), printableRule(), unicodeRule()} }

// secondsRule is the rule for a time in seconds; where it is open, 0 is too short.
func secondsRule(open bool) rule { return span{most: maxSeconds, open: open, unit: " seconds"} }

// format returns what there is to say about every field, by its path. The
// checks of [Spec.Validate] and the [Schema] are both read from it.
func format() map[string]entry {
	policies := oneOf(PolicyKeep, PolicyRequeue, PolicyClear)
	return map[string]entry{
		"tid":     row("The id of the task, 19 digits.", tidRule()).whenSpawned(),
		"version": row("The version of this format.", versionRule()).defaults(Version),
		"name": row("What the task is called in lists, events and process titles.",
			nameRules(maxName)...).required("required"),
		"description": row("Free text for people.", unicodeRule()),
		"spec":        row("What the task does, and how.").required("required"),
		"spec.type": row("Who does the work: a process of its own, or a registered Go function.",
			oneOf(kinds()...)).required(`required: "command" or "function"`),
		"spec.process_target": row("The program of a command: a path, or a name that is looked up in PATH.",
			osRule()).required("required for a command").onlyFor(KindCommand).anyBytes(),
		"spec.function_target": row("The registered name of a function.",
			osRule(), unicodeRule()).required("required for a function").onlyFor(KindFunction),
		"spec.args": row("Follow the program in a command's argument vector (strings and numbers only), or are passed to the function (any values).",
			arguments{}).defaults([]any{}),
		"spec.keyword_args": row("Passed to a function by name. A command takes none.",
			free{}).onlyFor(KindFunction).defaults(map[string]any{}),
		"spec.timeout": row("How long the work may take, in seconds from its start. None by default.",
			secondsRule(true)),
		"spec.stop_grace": row("The time between SIGTERM and SIGKILL, in seconds.",
			secondsRule(false)).defaults(defaultGrace.Seconds()),
		"spec.limits":           row("What the task and all its processes may use together. A task that goes over one is killed."),
		"spec.limits.memory_mb": row("Resident memory in MiB. No limit by default.", span{least: 1, most: maxMB}),
		"spec.limits.cpu_percent": row("Percent of one core, up to 100 for each core of the machine. No limit by default.",
			span{perCore: true}),
		"spec.limits.max_fds":         row("Open file descriptors. No limit by default.", span{least: 1}),
		"spec.limits.max_connections": row("Network connections. No limit by default.", span{}),
		"spec.limits.output_mb":       row("What is kept of the output in MiB, of both streams together. By default that of the project.", span{least: 1, most: maxMB}),
		"spec.limits.output_policy": row("What happens to a task that prints more: truncate, the default, keeps the beginning, and the task goes on; kill kills it. The value of a function and what a stage of a pipeline passes on are never truncated.",
			oneOf(OutputTruncate, OutputKill)),
		"spec.env": row("Variables that lie over the submitter's environment.",
			environment()).defaults(map[string]string{}).anyBytes(),
		"spec.env_from": row("Names of variables that are taken from the submitter's environment, so that a secret need not stand here.",
			elements{variableRule()}).defaults([]string{}),
		"spec.working_dir":     row("Where the work runs. By default the submitter's directory.", osRule()).anyBytes(),
		"spec.interactive":     row("Makes each item of the inbox a line of the command's input.").defaults(false),
		"spec.tty":             row("Gives the command a pseudo-terminal.").defaults(false),
		"spec.stream_output":   row("Puts the output into the outbox in chunks, as it is written.").defaults(false),
		"spec.cleanup_on_exit": row("Drains the inbox and the control queues at the end.").defaults(true),
		"spec.persistent":      row("Makes the task take item after item from its inbox until it is stopped. Timeout, limits and policies are those of an item.").defaults(false),
		"spec.polling_interval": row("The time between two samples of what the task uses, in seconds.",
			secondsRule(true)).defaults(defaultPolling.Seconds()),
		"spec.reporting_interval": row("When there is an event: at transitions, or with poll at every sample as well.",
			oneOf(ReportTransition, ReportPoll)).defaults(ReportTransition),
		"spec.enable_process_title": row("Shows the task in the process title of its consumer.").defaults(true),
		"spec.output_size_limit_mb": row("In MiB. A larger output spills to a file; with 0 every output does.",
			span{most: maxMB}).defaults(defaultOutputMB),
		"spec.reserved_policy_on_error": row("What becomes of the message after an error, a timeout, a limit or a loss.",
			policies).defaults(string(PolicyKeep)),
		"spec.reserved_policy_on_stop": row("What becomes of the message after a stop or a kill.",
			policies).defaults(string(PolicyKeep)),
		"spec.on_manager_loss": row("What the task does when its manager is gone.",
			oneOf(LossContinue, LossStop)).defaults(LossContinue),
		"spec.weft_context": row("The root of the project.", osRule()).whenSpawned().anyBytes(),
		"spec.retry":        row("When an attempt that did not complete is followed by another. Never by default."),
		"spec.retry.max_attempts": row("How many attempts there may be, the first included.",
			span{least: 1, most: maxAttempts}).defaults(defaultAttempts),
		"spec.retry.backoff_seconds": row("The time between the end of the first attempt and the second, in seconds. It doubles from attempt to attempt.",
			secondsRule(false)).defaults(defaultBackoff.Seconds()),
		"spec.retry.max_backoff_seconds": row("The longest that time gets, in seconds. By default 60, or backoff_seconds if that is more.",
			secondsRule(false)),
		"spec.retry.jitter": row("By how much of itself that time may be shorter, at random, so that tasks that failed together do not come again together.",
			span{most: 1}).defaults(defaultJitter),
		"spec.retry.on": row("Which ends are followed by another attempt. A stop and a kill never are.",
			elements{oneOf(retryCauses()...)}).defaults(retryCauses()),
		"spec.delay_seconds": row("The least time between the submission and the first attempt, in seconds.",
			secondsRule(false)).defaults(0),
		"spec.isolation": row("Where a function runs: in a process of its own, or inline, inside the program that serves it, without limits.",
			oneOf(IsolationProcess, IsolationInline)).defaults(IsolationProcess),
		"spec.key": row("A name that stands for the task: while it is known, submitting the same again returns it instead of making another.",
			nameRules(maxKey)...),
		"spec.concurrency": row("Bounds how many tasks of the project with the same key run at once. The others wait in order, and hold up no task without the key."),
		"spec.concurrency.key": row("The name that the tasks share.",
			nameRules(maxKey)...).required("required"),
		"spec.concurrency.limit": row("How many run at once. That of the newest submission holds for all tasks with the key.",
			span{least: 1, most: MaxConcurrency}).defaults(defaultConcurrency),
		"io": row("Queues that the task uses instead of its own."),
		"io.inputs": row(`From "inbox" to the queue that the task takes its work item from: it waits until there is one.`,
			queuesRule()),
		"io.outputs": row(`From "outbox" to the queue that the result goes to if the task completes.`, queuesRule()),
		"io.control": row(`From "ctrl_in" to a queue whose control messages the task obeys, and from "ctrl_out" to the one that it answers into.`,
			queuesRule()),
		"state":                      row("What has become of the task.").whenSpawned(),
		"state.status":               row("Where the task is in its life.", oneOf(Statuses()...)),
		"state.return_code":          row("What the task returned, or what a shell would say it did."),
		"state.signal":               row("The signal that the command died of.", unicodeRule()),
		"state.started_at":           row("When the work began, in nanoseconds since 1970.", span{}),
		"state.completed_at":         row("When the task ended, in nanoseconds since 1970.", span{}),
		"state.pid":                  row("The task's own process.", span{}),
		"state.attempt":              row("Counts the dispatches.", span{}),
		"state.error":                row("Why the task did not complete.", unicodeRule()),
		"state.time":                 row("How long the work took, in seconds.", span{}),
		"state.memory":               row("Resident memory in MiB.", span{}),
		"state.cpu":                  row("Percent of one core.", span{}),
		"state.fds":                  row("Open file descriptors.", span{}),
		"state.net_connections":      row("Network connections.", span{}),
		"state.peak_memory":          row("The most resident memory, in MiB.", span{}),
		"state.peak_cpu":             row("The most percent of one core.", span{}),
		"state.peak_fds":             row("The most open file descriptors.", span{}),
		"state.peak_net_connections": row("The most network connections.", span{}),
		"metadata": row("The submitter's own. Two names have a meaning: tags, and parent_tid, the task that submitted this one.",
			metadata{}).defaults(map[string]any{}),
	}
}
