package tty

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"

	"weft/internal/protocol"
)

// Kind is the kind of a [Frame].
type Kind byte

// The kinds of frames. A client sends Hello, Input and Resize, a consumer Output and End.
const (
	Hello  Kind = 'h' // Offset, Size, Data: see NewHello
	Input  Kind = 'i' // Data
	Resize Kind = 'r' // Size
	Output Kind = 'o' // Offset, Data
	End    Kind = 'e'
)

// NewHello returns the first frame of a client, which carries its protocol version.
func NewHello(offset int64, size Size) Frame {
	return Frame{Kind: Hello, Offset: offset, Size: size, Data: []byte(version)}
}

// CheckHello returns an error if the first frame of a client is not one that can be served.
func CheckHello(f Frame) error {
	switch {
	case f.Kind != Hello:
		return errFrame
	case string(f.Data) != version:
		return errors.New("client is of another version of weft than the task: weft manager stop, then again")
	}
	return nil
}

var version = strconv.Itoa(protocol.Version)

// Recent is the offset of a client that wants the current state of the terminal instead of
// all output.
const Recent int64 = -1

// Size is the size of a window in characters. The zero value means that there is none.
type Size struct{ Rows, Cols uint16 }

// A Frame is one message. Its kind determines which fields are used.
type Frame struct {
	Kind Kind
	// Offset is where in the task's output the client wants to start, or where the output
	// after this frame starts.
	Offset int64
	Size   Size
	Data   []byte
}

// MaxData is the maximum size of a frame's data.
const MaxData = 32 << 10

// header is the size of a frame without its data: kind, offset, size, and length of the
// data.
const header = 1 + 8 + 2 + 2 + 4

// errFrame is returned for invalid frames.
var errFrame = errors.New("not a frame of a terminal")

// A Conn is one end of a connection. Send and Receive may be called by several goroutines,
// but Receive only by one at a time.
type Conn struct {
	net.Conn
	sending sync.Mutex
	head    [header]byte
	data    []byte
}

// NewConn returns the end of a connection on c, which it owns.
func NewConn(c net.Conn) *Conn { return &Conn{Conn: c} }

// Send sends one frame, as several if its data exceed MaxData.
func (c *Conn) Send(f Frame) error {
	c.sending.Lock()
	defer c.sending.Unlock()
	for {
		data := f.Data[:min(len(f.Data), MaxData)]
		b := make([]byte, 0, header+len(data))
		b = append(b, byte(f.Kind))
		b = binary.BigEndian.AppendUint64(b, uint64(f.Offset))
		b = binary.BigEndian.AppendUint16(b, f.Size.Rows)
		b = binary.BigEndian.AppendUint16(b, f.Size.Cols)
		b = binary.BigEndian.AppendUint32(b, uint32(len(data)))
		if _, err := c.Write(append(b, data...)); err != nil {
			return fmt.Errorf("send to terminal: %w", err)
		}
		if f.Data = f.Data[len(data):]; len(f.Data) == 0 {
			return nil
		}
	}
}

// Receive waits for the next frame. Its data are valid until the next call. [io.EOF] means
// that the other end has closed the connection between frames.
func (c *Conn) Receive() (Frame, error) {
	if _, err := io.ReadFull(c.Conn, c.head[:]); err != nil {
		if errors.Is(err, io.EOF) {
			return Frame{}, err
		}
		return Frame{}, fmt.Errorf("receive from terminal: %w", err)
	}
	h := c.head[:]
	f := Frame{
		Kind:   Kind(h[0]),
		Offset: int64(binary.BigEndian.Uint64(h[1:])),
		Size:   Size{binary.BigEndian.Uint16(h[9:]), binary.BigEndian.Uint16(h[11:])},
	}
	n := binary.BigEndian.Uint32(h[13:])
	if n > MaxData {
		return Frame{}, fmt.Errorf("receive from terminal: %w", errFrame)
	}
	if c.data == nil && n > 0 {
		c.data = make([]byte, MaxData)
	}
	f.Data = c.data[:n]
	if _, err := io.ReadFull(c.Conn, f.Data); err != nil {
		return Frame{}, fmt.Errorf("receive from terminal: %w", err)
	}
	return f, nil
}
