package tty

import (
	"fmt"
	"strconv"

	"weft/internal/socket"
)

// A Listener is the consumer's end of the socket of one attempt at a task.
type Listener struct{ *socket.Listener }

// Listen makes the socket of an attempt at a task in the project with the folder weftDir.
// The caller closes it.
func Listen(weftDir, tid string, epoch int) (*Listener, error) {
	l, err := socket.Listen(weftDir, name(tid, epoch))
	if err != nil {
		return nil, fmt.Errorf("listen for terminals: %w", err)
	}
	return &Listener{l}, nil
}

// AcceptClient waits for the next client. It rejects processes of other users. An error
// means that the socket is closed.
func (l *Listener) AcceptClient() (*Conn, error) {
	c, err := l.AcceptPeer()
	if err != nil {
		return nil, fmt.Errorf("accept terminal: %w", err)
	}
	return NewConn(c), nil
}

// Dial connects to an attempt at a task. [NotListening] tells whether an error means that no
// consumer listens.
func Dial(weftDir, tid string, epoch int) (*Conn, error) {
	c, err := socket.Dial(weftDir, name(tid, epoch))
	if err != nil {
		return nil, fmt.Errorf("connect to terminal: %w", err)
	}
	return NewConn(c), nil
}

// NotListening reports whether an error of [Dial] means that no consumer listens, not yet or not
// any more.
func NotListening(err error) bool { return socket.NotListening(err) }

// name returns the name of the socket of an attempt at a task.
func name(tid string, epoch int) string { return tid + "." + strconv.Itoa(epoch) }
