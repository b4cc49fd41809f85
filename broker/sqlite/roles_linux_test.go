package sqlite

// systemRoles are roles for which Linux is needed.
var systemRoles = map[string]func(args []string) error{
	"touch":      touchRole,
	"lock mode":  lockModeRole,
	"open modes": modesRole,
	"small file": smallFileRole,
	"full disk":  fullDiskRole,
	"deaf":       deafRole,
	"wait":       waitRole,
	"hog":        hogRole,
}
