package settings

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestTable: the table has every setting, by the names that are read.
func TestTable(t *testing.T) {
	t.Parallel()
	var keys []string
	for field := range reflect.TypeFor[Settings]().Fields() {
		key, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		keys = append(keys, key)
	}
	table := Table()
	if len(table) != len(keys) {
		t.Errorf("%d settings in the table, %d that are read", len(table), len(keys))
	}
	asked := make(map[string]bool)
	_, err := Load(t.TempDir(), true, func(name string) string { asked[name] = true; return "" })
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range table {
		if !slices.Contains(keys, s.Key) || !asked[s.Variable()] {
			t.Errorf("%s, %s: not read", s.Key, s.Variable())
		}
		if s.Option == "" || s.Default == "" || !strings.HasSuffix(s.About, ".") {
			t.Errorf("%s is not described: %+v", s.Key, s)
		}
	}
}
