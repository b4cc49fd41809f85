package arch

// Each entry is the place of a finding, as the test prints it, and the reason
// why it is right there.

// mayNameDatabase lists declarations that name a database file without
// opening it.
var mayNameDatabase = map[string]string{}

// mayOpenDatabase lists functions that name a database file and open a file:
// a test that damages a store nobody has open, say.
var mayOpenDatabase = map[string]string{}

// maySleep lists declarations that use time.Sleep where there is no event to
// wait for.
var maySleep = map[string]string{
	"internal/proc/proc_linux_test.go:runReuse": "waits for the next tick of the clock that start times are counted in, a moment and no event",
}

// mayBeLong lists files of more than 500 lines that would be worse in pieces.
var mayBeLong = map[string]string{}

// mayHaveMethods lists exported types with more than 15 methods.
var mayHaveMethods = map[string]string{}
