package observe

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"weft/broker"
	"weft/broker/sqlite"
)

// roleVariable makes this test binary a monitor instead of running tests.
const roleVariable = "WEFT_OBSERVE_TEST_STORE"

func TestMain(m *testing.M) {
	dir := os.Getenv(roleVariable)
	if dir == "" {
		goleak.VerifyTestMain(m)
		return
	}
	fmt.Fprintln(os.Stderr, monitorRole(dir))
	os.Exit(1)
}

// opened is an empty store that does not wait for the disk.
func opened(t *testing.T) *broker.Broker {
	t.Helper()
	b, err := sqlite.Open(t.TempDir(), sqlite.Options{Durability: sqlite.Normal})
	must(t, err)
	t.Cleanup(func() { must(t, b.Close()) })
	return b
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// write writes the bodies in one transaction.
func write(t testing.TB, b *broker.Broker, queue string, bodies ...string) []broker.ID {
	t.Helper()
	ids, err := b.Queue(queue).WriteAll(t.Context(), bodies)
	must(t, err)
	return ids
}

// contents are the bodies of the messages of a queue.
func contents(t testing.TB, b *broker.Broker, queue string) (bodies []string) {
	t.Helper()
	for m, err := range b.Queue(queue).Messages(t.Context(), broker.Select{}) {
		must(t, err)
		bodies = append(bodies, m.Body)
	}
	return bodies
}
