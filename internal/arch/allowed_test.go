package arch

// Each entry is the place of a finding, as the test prints it, and the reason
// why it is right there.

// mayNameDatabase lists declarations that name a database file without
// opening it.
var mayNameDatabase = map[string]string{
	"cmd/weft/hostile_linux_test.go:hostileNames":            "has other things in place of a store that is not there",
	"cmd/weft/hostile_linux_test.go:eachHostile":             "has other things in place of a store that is not there",
	"cmd/weft/hostile_linux_test.go:hostile.run":             "reads what is said of a store",
	"cmd/weft/store_linux_test.go:TestStoreIsOpenedBySQLite": "counts how often they are opened",
	"tests/open_test.go:TestOpenRefuses":                     "puts a foreign file in place of a store",
}

// mayOpenDatabase lists functions that name a database file and open a file:
// a test that damages a store nobody has open, say.
var mayOpenDatabase = map[string]string{
	"tests/open_test.go:TestOpenRefuses": "puts a foreign file in place of a store that nobody has open",
}

// maySleep lists declarations that use time.Sleep where there is no event to
// wait for.
var maySleep = map[string]string{
	"internal/proc/proc_linux_test.go:runReuse":        "waits for the next tick of the clock that start times are counted in, a moment and no event",
	"internal/notify/main_test.go:notifyForParent":     "notifies at times that are chosen at random",
	"internal/notify/bench_unix_test.go:BenchmarkWake": "is the poll that notifications are compared with",
	"internal/notify/bench_unix_test.go:BenchmarkIdle": "measures what a second without events costs",
}

// mayBeLong lists files of more than 500 lines that would be worse in pieces.
var mayBeLong = map[string]string{}

// mayTouchFile lists functions that open, create or remove files by their paths.
var mayTouchFile = map[string]string{
	"internal/upkeep/folder.go:examineModes":         "lists the project's folder itself, and opens nothing in it",
	"internal/upkeep/host_linux.go:watchers":         "reads what the kernel says",
	"internal/upkeep/host_linux.go:sampledLimit":     "reads what the kernel says",
	"internal/attempt/supervise_linux.go:ignores":    "reads what the kernel says",
	"internal/archive/dump.go:WriteFile":             "writes where the user says, beside the file and then in its place",
	"internal/archive/load.go:rewindable":            "creates a file that was not there, and removes it at once",
	"wefttest/wefttest.go:Main":                      "makes the folder of a test's state",
	"internal/inherit/read_linux.go:umask":           "reads what the kernel says",
	"internal/role/role_linux.go:closeOthers":        "reads what the kernel says",
	"project.go:Create":                              "makes the folder that the user names, above the project's",
	"internal/specstore/specstore.go:Store.ReadFile": "reads the file that the user names",
	"internal/trust/trust.go:State.read":             "is in this user's state folder, outside of any project",
	"internal/trust/trust.go:State.Record":           "is in this user's state folder, outside of any project",
	"internal/trust/trust.go:State.write":            "is in this user's state folder, outside of any project",
	"internal/trust/trust.go:State.Observe":          "is in this user's state folder, outside of any project",
}
