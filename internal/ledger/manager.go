package ledger

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"weft/broker"
	"weft/internal/proc"
	"weft/internal/protocol"
	"weft/taskspec"
)

// ManagerKind is the kind of the records of managers, past and present. Their key is the
// manager's id, their state one of the states below.
const ManagerKind = "manager"

// The states of a manager's record. A manager that was killed could not change it: whether
// a manager runs is proved by its lock, never by its record.
const (
	ManagerRunning = "running"
	ManagerGone    = "gone"
)

// CurrentManager is the key of a second record of the latest manager.
const CurrentManager = "current"

// Manager is the record of a manager. Times are nanoseconds since 1970.
type Manager struct {
	TID     string        `json:"tid"`
	Status  string        `json:"status"`
	Process proc.Identity `json:"process"`
	// Namespace is the pid namespace of its process; empty if it is not known.
	Namespace string `json:"namespace,omitempty"`
	Build     string `json:"build"`
	// Protocol is the protocol of its version of Weft, 0 for versions before there was one.
	Protocol int `json:"protocol,omitempty"`
	// Embedded means that the manager is part of a program that continues when it leaves.
	Embedded bool `json:"hosted,omitempty"`
	// Folder identifies the project's folder; a copy has another one. It is empty if it is
	// not known.
	Folder string `json:"folder,omitempty"`
	// Autostart means that the manager starts services.
	Autostart bool `json:"autostart,omitempty"`
	// Slots is how many tasks it runs at once.
	Slots int `json:"slots,omitempty"`

	Started int64 `json:"started_at"`
	Stopped int64 `json:"stopped_at,omitempty"`

	// Copied means that the manager before it worked in another folder, of which this
	// project is a copy. The tasks that are recorded as running run there.
	Copied bool `json:"-"`
}

// Elsewhere reports whether its process is in another pid namespace, where it cannot be
// seen from this one.
func (m *Manager) Elsewhere() bool {
	here := proc.Namespace()
	if m.Namespace == "" || here == "" || m.Namespace == here {
		return false
	}
	boot, err := proc.Boot()
	return err == nil && boot == m.Process.Boot
}

// Gone reports whether the manager has left or is dead, as far as that can be seen from
// here; if it cannot, only its lock tells.
func (m *Manager) Gone() bool {
	return m.Status == ManagerGone || !m.Elsewhere() && !m.Process.Alive()
}

// IsStopped reports whether a signal has stopped its process.
func (m *Manager) IsStopped() bool { return !m.Elsewhere() && m.Process.Stopped() }

func (m *Manager) save(tx *broker.Tx, event string, superseded bool, now time.Time) error {
	id, err := broker.ParseID(m.TID)
	if err != nil {
		return err
	}
	// one record for history, one where every submission finds it
	keys := []string{m.TID, CurrentManager}
	if superseded {
		keys = keys[:1]
	}
	for _, key := range keys {
		if err := put(tx, broker.Record{Kind: ManagerKind, Key: key, State: m.Status, Rank: int64(id)}, m); err != nil {
			return err
		}
	}
	_, err = writeEvent(tx, &Event{
		Event:     event,
		TID:       m.TID,
		TIDShort:  taskspec.ShortTID(m.TID),
		Timestamp: now.UnixNano(),
		TaskPID:   m.Process.PID,
	})
	return err
}

// RegisterManager records that the manager m has taken over, and gives it an id. Control
// messages to an earlier one are deleted.
func RegisterManager(tx *broker.Tx, m Manager, now time.Time) (*Manager, error) {
	id := broker.IDAt(now)
	switch last, err := tx.Record(ManagerKind, CurrentManager); {
	case err == nil:
		id = max(id, broker.ID(last.Rank)+1) // the clock may have been set back
		// A record that cannot be read is replaced.
		if before, err := DecodeManager(last); err == nil {
			m.Copied = before.Folder != "" && before.Folder != m.Folder
		}
	case !errors.Is(err, broker.ErrNotFound):
		return nil, err
	}
	if _, err := tx.Delete(ManagerControl, broker.Select{}); err != nil {
		return nil, err
	}
	m.Protocol = protocol.Version
	m.TID, m.Status, m.Started = id.String(), ManagerRunning, now.UnixNano()
	return &m, m.save(tx, eventManagerStarted, false, now)
}

// LeaveIdle records that the manager leaves, unless there is work: then it returns false
// and changes nothing. Requests with ids up to quarantined do not count. Requests committed
// before this are seen here; a later submitter sees that the manager is gone.
func (m *Manager) LeaveIdle(tx *broker.Tx, quarantined broker.ID, now time.Time) (bool, error) {
	for _, queue := range []string{Requests, SlotlessRequests, WaitingRequests} {
		waiting, err := tx.Messages(queue, broker.Select{After: quarantined, Limit: 1})
		if err != nil || len(waiting) > 0 {
			return false, err
		}
	}
	for _, err := range tasks.each(tx, 0, liveStates...) {
		return false, err
	}
	return true, m.leave(tx, eventManagerIdle, now)
}

// Leave records that the manager leaves, whether or not there is work.
func (m *Manager) Leave(tx *broker.Tx, now time.Time) error {
	return m.leave(tx, eventManagerStopped, now)
}

func (m *Manager) leave(tx *broker.Tx, event string, now time.Time) error {
	latest, err := m.latest(tx)
	if err == nil && latest {
		_, err = tx.Delete(ManagerControl, broker.Select{})
	}
	if err != nil {
		return err
	}
	left := *m
	left.Status, left.Stopped = ManagerGone, now.UnixNano()
	tx.Notify(ManagerReplies) // a client that told it to stop waits there
	return left.save(tx, event, !latest, now)
}

// ErrSuperseded is returned if another manager has taken over. A manager leads by its
// lock, whose file has been removed.
var ErrSuperseded = errors.New("another manager has come")

// latest reports whether no other manager has taken over since.
func (m *Manager) latest(tx *broker.Tx) (bool, error) {
	last, err := tx.Record(ManagerKind, CurrentManager)
	if errors.Is(err, broker.ErrNotFound) {
		return true, nil
	}
	id, bad := broker.ParseID(m.TID)
	return last.Rank == int64(id), errors.Join(err, bad)
}

// SendManagerControl sends the latest manager a command, unless it has recorded that it
// leaves.
func SendManagerControl(tx *broker.Tx, c Command) error {
	r, err := tx.Record(ManagerKind, CurrentManager)
	if errors.Is(err, broker.ErrNotFound) || err == nil && r.State != ManagerRunning {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = tx.Write(ManagerControl, string(c))
	return err
}

// ErrVersionSkew is returned if the project's manager is of a version of Weft with another format.
var ErrVersionSkew = errors.New("manager is of another version of weft")

// CheckProtocol returns [ErrVersionSkew], with what to do, if the manager runs and is of another
// version.
func (m *Manager) CheckProtocol() error {
	if m.Protocol == protocol.Version || m.Gone() {
		return nil
	}
	return fmt.Errorf("%w: process %d has protocol %d, this one %d: weft manager stop, then again",
		ErrVersionSkew, m.Process.PID, m.Protocol, protocol.Version)
}

// Managed reports whether there is a manager that has not recorded that it leaves. The
// error is [ErrVersionSkew] if this version must not submit work to it.
func Managed(tx *broker.Tx) (bool, error) {
	r, err := tx.Record(ManagerKind, CurrentManager)
	if errors.Is(err, broker.ErrNotFound) {
		return false, nil
	}
	if err != nil || r.State != ManagerRunning {
		return false, err
	}
	m, err := DecodeManager(r)
	if damaged(err) {
		return false, nil // starting a manager will show
	}
	return err == nil, cmp.Or(err, m.CheckProtocol())
}

// IsCurrent reports whether r is the second record of the latest manager.
func IsCurrent(r broker.Record) bool { return r.Key == CurrentManager }

var managers = table[*Manager]{ManagerKind, func(rec broker.Record) (*Manager, error) {
	m := new(Manager)
	if err := fields(rec, m); err != nil {
		return nil, err
	}
	if m.TID != broker.ID(rec.Rank).String() || rec.Key != m.TID && !IsCurrent(rec) || m.Status != rec.State {
		return nil, errMismatch
	}
	return m, nil
}}

// latestManager returns the latest manager, nil if there was none or its record is damaged.
func latestManager(r broker.Reader) (*Manager, error) {
	m, err := managers.get(r, CurrentManager)
	if unreadable(err) {
		return nil, nil
	}
	return m, err
}

// DecodeManager reads a manager from its record. The error is a *[DamagedError].
func DecodeManager(rec broker.Record) (*Manager, error) { return managers.decode(rec) }

// DropManagers removes, among the next limit managers that have left and have a rank above
// after, those that came before old. It returns how many it removed, and the rank to continue
// with, 0 at the end.
func DropManagers(tx *broker.Tx, old time.Time, after int64, limit int) (n int, next int64, err error) {
	left := broker.RecordSelect{States: []string{ManagerGone}, AfterRank: after, BeforeRank: int64(broker.IDAt(old)), Limit: limit}
	return dropSome(tx, ManagerKind, left, func(rec broker.Record) (needed bool, err error) {
		return rec.Key == CurrentManager, nil // who comes next wants to know
	})
}
