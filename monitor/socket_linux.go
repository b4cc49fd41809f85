package monitor

import (
	"bytes"
	"iter"
	"os"
	"strings"
)

// A socketSet holds the sockets of a tree by inode, so that a socket that several processes
// share counts once. The value is a process of the socket's network namespace.
type socketSet map[string]int

// add adds a descriptor of a process, if it is a socket.
func (s socketSet) add(pid int, fd string) {
	target, err := os.Readlink(file(pid, "fd/"+fd))
	if err != nil {
		return
	}
	if inode, ok := strings.CutPrefix(target, "socket:["); ok {
		s[strings.TrimSuffix(inode, "]")] = pid
	}
}

// connected counts the sockets that are connections. It reads the tables of a network
// namespace through a process in it.
func (s socketSet) connected() (n int) {
	networks := make(map[string]int)
	for _, pid := range s {
		if network, err := os.Readlink(file(pid, "ns/net")); err == nil {
			networks[network] = pid
		}
	}
	counted := make(map[string]bool)
	for _, pid := range networks {
		for _, table := range []string{"tcp", "tcp6", "udp", "udp6"} {
			data, err := os.ReadFile(file(pid, "net/"+table))
			if err != nil {
				continue // for example without IPv6
			}
			for inode := range connections(data) {
				if _, ours := s[inode]; ours {
					counted[inode] = true
				}
			}
		}
	}
	return len(counted)
}

// connections yields the inodes of the connected sockets in a table such as /proc/net/tcp.
// A listening socket, and an unconnected one, is none; nor is one that has been closed
// already, which no process has open.
func connections(table []byte) iter.Seq[string] {
	const (
		state, inode = 3, 9 // TCP_CLOSE of the kernel's include/net/tcp_states.h
		closed       = "07" // TCP_CLOSE of the kernel's include/net/tcp_states.h
		listening    = "0A" // TCP_LISTEN
	)
	return func(yield func(string) bool) {
		for line := range bytes.Lines(table) {
			f := bytes.Fields(line)
			// The heading has fewer columns than words.
			if len(f) <= inode || !bytes.HasSuffix(f[0], []byte(":")) {
				continue
			}
			if st := string(f[state]); st == closed || st == listening {
				continue
			}
			if !yield(string(f[inode])) {
				return
			}
		}
	}
}
