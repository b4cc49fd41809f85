package settings

import (
	"fmt"
	"strings"

	"weft/broker"
	"weft/broker/sqlite"
)

// A Setting is what there is to say about one setting, for help and documentation.
type Setting struct {
	Key     string // in config.json
	Option  string // the field of weft.Options
	Default string // what it is where nothing is said
	About   string // what it does, a sentence or more
}

// Variable is the variable of the environment that overrides config.json.
func (s Setting) Variable() string { return "WEFT_" + strings.ToUpper(s.Key) }

// Table returns all settings, in the order in which they are documented.
func Table() []Setting {
	seconds := fmt.Sprint(defaultLifetime.Seconds())
	return []Setting{
		{"durability", "Durability", sqlite.Full.String(), "full: what was acknowledged survives a power failure. normal: it survives the death of " +
			"every process, and after a power failure the last moments may be missing. It belongs to the project: the variable counts only when the project is created."},
		{"max_tasks", "MaxTasks", "4 for each core", "How many tasks run at once; others wait in order. Pipelines themselves, services, persistent " +
			"and interactive tasks, and tasks submitted by tasks are not counted."},
		{"manager_lifetime_timeout", "ManagerLifetime", seconds, "How long a manager stays without work, in seconds; 0 is for ever, in Go less than 0."},
		{"manager_reuse_enabled", "ManagerReuse", "true", "With false a manager that a command had to start leaves as soon as there is no work."},
		{"autostart_tasks", "Autostart", "true", "Whether managers start the project's services. --no-autostart of a command overrides both."},
		{"busy_timeout", "BusyTimeout", "30", "How long a write waits, in seconds, for a store that another process holds without writing, before " +
			"it fails. Writers wait in turn, and while others write a wait has no bound."},
		{"max_message_size", "MaxMessageSize", fmt.Sprint(broker.MaxMessageBytes), fmt.Sprintf("Bytes of a message, at least %d.", minMessage)},
		{"output_mb", "OutputMB", fmt.Sprint(defaultOutputMB), "MiB that are kept of what a task prints, on disk too while it runs. spec.limits.output_mb says it for one task, and spec.limits.output_policy what happens then."},
		{"redact_taskspec_fields", "Redact", "none", "Paths into specs that events and dumps do not show, such as spec.args; in the variable " +
			"separated by commas. The values of spec.env are never shown."},
		{"retention_age", "Retention.Age", "7d", "How long ago a task may have ended that is kept: 12h, 7d, or never, in Go less than 0."},
		{"retention_tasks", "Retention.Tasks", "100000", "How many tasks that have ended are kept, or never."},
		{"retention_output", "Retention.OutputBytes", "10GB", "How much they may have written, all together: bytes, 500MB, 10GB, or never."},
		{"retention_keys", "Retention.Keys", "7d", "How old a key of a task may be, or never."},
		{"log_level", "LogLevel", "info", "What the manager logs: debug, info, warn, error."},
	}
}
