package sqlite

import (
	"context"
	"fmt"
	"os"
	"testing"

	"weft/broker"
)

func benchStore(b *testing.B, d Durability) *broker.Broker {
	dir, err := os.MkdirTemp("/tmp", "bench")
	if err != nil {
		b.Fatal(err)
	}
	br, err := Open(dir, Options{Durability: d})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { br.Close(); os.RemoveAll(dir) })
	return br
}

func BenchmarkZ(b *testing.B) {
	for _, d := range []Durability{Full, Normal} {
		for _, n := range []int{1, 8, 64} {
			b.Run(fmt.Sprintf("update/%d/%d", d, n), func(b *testing.B) {
				br := benchStore(b, d)
				b.SetParallelism(n / 2)
				if n == 1 {
					for b.Loop() {
						br.Update(context.Background(), func(tx *broker.Tx) error { _, err := tx.Write("q", "hello world"); return err })
					}
					return
				}
				b.ResetTimer()
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						br.Update(context.Background(), func(tx *broker.Tx) error { _, err := tx.Write("q", "hello world"); return err })
					}
				})
			})
			b.Run(fmt.Sprintf("write/%d/%d", d, n), func(b *testing.B) {
				br := benchStore(b, d)
				q := br.Queue("q")
				b.SetParallelism(n / 2)
				if n == 1 {
					for b.Loop() {
						q.Write(context.Background(), "hello world")
					}
					return
				}
				b.ResetTimer()
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						q.Write(context.Background(), "hello world")
					}
				})
			})
		}
	}
}
