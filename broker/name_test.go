package broker_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"weft/broker"
)

// named is the rule for names as the contract gives it.
var named = regexp.MustCompile(`\A[A-Za-z0-9_][A-Za-z0-9_.-]*\z`)

func FuzzCheckName(f *testing.F) {
	for _, s := range []string{
		"a", "Z9_", "weft.log.tasks", "T1795262400000000000.inbox", "a.b-c_d", "_", "0",
		"", ".", "-a", "a b", "a\n", "a\x00", "a/b", "ä", "\xff", "a*", "@a",
		strings.Repeat("x", broker.MaxNameBytes), strings.Repeat("x", broker.MaxNameBytes+1),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		err := broker.CheckName(name)
		if want := named.MatchString(name) && len(name) <= broker.MaxNameBytes; want != (err == nil) {
			t.Errorf("CheckName(%q) = %v", name, err)
		}
		if err != nil && !errors.Is(err, broker.ErrName) {
			t.Errorf("CheckName(%q) = %v, which is not an ErrName", name, err)
		}
	})
}
