package notify

import (
	"iter"
	"math/bits"
)

// channelSet is a set of channels. The zero value is empty.
type channelSet [Channels / 64]uint64

func (b *channelSet) add(channel int) { b[channel/64] |= 1 << (channel % 64) }

// count returns the number of channels in the set.
func (b *channelSet) count() (n int) {
	for _, word := range b {
		n += bits.OnesCount64(word)
	}
	return n
}

// all yields the channels in the set in ascending order.
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
