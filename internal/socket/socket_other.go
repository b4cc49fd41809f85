//go:build !linux

package socket

import (
	"errors"
	"fmt"
	"net"
	"runtime"
)

var errUnsupported = fmt.Errorf("sockets of a project: %w on %s yet", errors.ErrUnsupported, runtime.GOOS)

// A Listener is the end of a socket at which others connect.
type Listener struct{ *net.UnixListener }

// Listen says that there are no sockets on this system.
func Listen(weftDir, name string) (*Listener, error) { return nil, errUnsupported }

// AcceptPeer says the same.
func (l *Listener) AcceptPeer() (*net.UnixConn, error) { return nil, errUnsupported }

// Dial says the same.
func Dial(weftDir, name string) (*net.UnixConn, error) { return nil, errUnsupported }

// NotListening reports whether an error of [Dial] says that nobody listens.
func NotListening(error) bool { return false }

// Names finds none.
func Names(weftDir, prefix string) ([]string, error) { return nil, nil }
