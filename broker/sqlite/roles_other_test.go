//go:build !linux

package sqlite

// systemRoles are roles for which Linux is needed.
var systemRoles = map[string]func(args []string) error{}
