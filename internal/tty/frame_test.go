package tty

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// pair returns both ends of a connection.
func pair(t *testing.T) (a, b *Conn) {
	one, other := net.Pipe()
	t.Cleanup(func() { one.Close(); other.Close() })
	return NewConn(one), NewConn(other)
}

// TestFrames sends every kind of frame, and data that need several.
func TestFrames(t *testing.T) {
	t.Parallel()
	a, b := pair(t)
	long := bytes.Repeat([]byte("0123456789"), 10_000)
	sent := []Frame{
		{Kind: Hello, Offset: Recent, Size: Size{24, 80}},
		{Kind: Input, Data: []byte("\x03")},
		{Kind: Resize, Size: Size{65535, 1}},
		{Kind: Output, Offset: 1 << 40, Data: []byte("x")},
		{Kind: End},
	}
	failed := make(chan error, 1)
	go func() {
		for _, f := range append(sent, Frame{Kind: Output, Offset: 7, Data: long}) {
			if err := a.Send(f); err != nil {
				failed <- err
				return
			}
		}
		failed <- a.Close()
	}()
	for _, want := range sent {
		got, err := b.Receive()
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Data) == 0 {
			got.Data = nil
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("received (-want +got):\n%s", diff)
		}
	}
	var got []byte
	for {
		f, err := b.Receive()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil || f.Kind != Output || f.Offset != 7 {
			t.Fatalf("received %+v, %v", f, err)
		}
		got = append(got, f.Data...)
	}
	if !bytes.Equal(got, long) {
		t.Errorf("%d bytes of %d arrived", len(got), len(long))
	}
	if err := <-failed; err != nil {
		t.Error(err)
	}
}

// TestBadFrame gets what no consumer and no client sends.
func TestBadFrame(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"too long":   "o" + "\x00\x00\x00\x00\x00\x00\x00\x00" + "\x00\x00\x00\x00" + "\xff\xff\xff\xff",
		"cut":        "o\x00\x00",
		"data short": "o" + "\x00\x00\x00\x00\x00\x00\x00\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x05" + "abc",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			one, b := pair(t)
			go func() {
				_, _ = one.Conn.Write([]byte(text))
				one.Close()
			}()
			if f, err := b.Receive(); err == nil || errors.Is(err, io.EOF) {
				t.Errorf("received %+v, %v", f, err)
			}
		})
	}
}
