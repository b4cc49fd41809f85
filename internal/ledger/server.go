package ledger

import (
	"fmt"
	"time"

	"weft/broker"
	"weft/internal/proc"
)

// serverKind is the kind of the records of programs that serve the functions which run
// inside them. Their key is the process.
const serverKind = "server"

// Server is such a program while it serves.
type Server struct {
	Process proc.Identity `json:"process"`
	Started int64         `json:"started_at"` // nanoseconds since 1970
}

func (s *Server) key() string {
	return fmt.Sprintf("%d.%d.%s", s.Process.PID, s.Process.Ticks, s.Process.Boot)
}

// PutServer records that a program starts to serve, and notifies the manager, which watches
// the program from then on.
func PutServer(tx *broker.Tx, s *Server) error {
	if _, err := Managed(tx); err != nil {
		return err
	}
	tx.Notify(ManagerControl)
	return put(tx, broker.Record{Kind: serverKind, Key: s.key(), Rank: s.Started}, s)
}

// DropServer records that the program no longer serves.
func DropServer(tx *broker.Tx, s *Server) error { return tx.DeleteRecord(serverKind, s.key()) }

// Servers returns the programs that serve; one that was killed may be among them.
func Servers(r broker.Reader) ([]*Server, error) {
	return servers.list(r, broker.RecordSelect{})
}

var servers = table[*Server]{serverKind, func(rec broker.Record) (*Server, error) {
	s := new(Server)
	err := fields(rec, s)
	if err == nil && s.key() != rec.Key {
		err = errMismatch
	}
	return s, err
}}

// MarkServerLost records that a program died while it served, and marks the tasks that ran
// inside it as lost.
func MarkServerLost(tx *broker.Tx, s *Server, now time.Time) error {
	live, err := LiveTasks(tx)
	if err != nil {
		return err
	}
	for _, t := range live {
		if t.Kind() == Inline && t.Consumer == s.Process {
			if err := MarkLost(tx, t.TID, t.Epoch, now); err != nil {
				return err
			}
		}
	}
	return DropServer(tx, s)
}
