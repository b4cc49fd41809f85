package notify

import (
	"iter"
	"math/bits"
)

// channelSet is a set of bell numbers. The zero value is empty.
type channelSet [Channels / 64]uint64

func (b *channelSet) add(bell int) { b[bell/64] |= 1 << (bell % 64) }

// count is how many there are.
func (b *channelSet) count() (n int) {
	for _, word := range b {
		n += bits.OnesCount64(word)
	}
	return n
}

// all yields the numbers in b, rising.
func (b *channelSet) all() iter.Seq[int] {
	return func(yield func(int) bool) {
		for i, word := range b {
			for ; word != 0; word &= word - 1 {
				if !yield(i*64 + bits.TrailingZeros64(word)) {
					return
				}
			}
		}
	}
}
