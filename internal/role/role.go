// Package role tells a process which part of Weft it plays.
//
// A manager and a consumer are the same program, executed again, and so is the
// process in which a registered function runs. Such a process finds its role in
// its environment and, on descriptor 3, one end of a socket whose other end is
// held by the process that started it. The environment alone gives no role: it
// is inherited by everything.
package role

// Role is a part that a re-executed process plays.
type Role string

// The roles.
const (
	None     Role = ""
	Manager  Role = "manager"
	Consumer Role = "consumer"
	Function Role = "function" // runs one function of the program; see [Extra]
	Describe Role = "describe" // says which functions the program has
	Exec     Role = "exec"     // becomes the process of a task
)

// known are the roles that [Take] gives.
func known() []Role { return []Role{Manager, Consumer, Function, Describe, Exec} }

// variable is the environment variable that names the role.
const variable = "WEFT_ROLE"

// Entry is the entry of the environment that gives a process the role.
func Entry(r Role) string { return variable + "=" + string(r) }
