package inherit

import "testing"

// BenchmarkRead is what a submission pays.
func BenchmarkRead(b *testing.B) {
	for b.Loop() {
		a, err := Read()
		if err != nil {
			b.Fatal(err)
		}
		_ = a.String()
	}
}
