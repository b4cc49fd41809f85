package ledger

import (
	"encoding/json"
	"errors"
	"strings"

	"weft/broker"
	"weft/taskspec"
)

// viewPrefix is the prefix of the queues that show records.
const viewPrefix = "weft.state."

// View returns how the messages of a queue are computed, nil if they are stored: the queues
// with the prefix weft.state. show the current state.
func View(queue string) broker.ViewFunc {
	if tid, ok := statusOf(queue); ok {
		return pipelineView(queue, tid)
	}
	name, ok := strings.CutPrefix(queue, viewPrefix)
	if !ok {
		return nil
	}
	switch name {
	case "workers":
		return recordsView(queue, ManagerKind, func(r broker.Record) (string, error) {
			if IsCurrent(r) {
				return "", nil
			}
			return r.Body, Check(r)
		})
	case "tid_mappings":
		return recordsView(queue, Kind, mapping)
	case "pipelines":
		return func(r broker.Reader, sel broker.Select) (ms []broker.Message, err error) {
			all := recordsView(queue, Kind, func(rec broker.Record) (string, error) { return shownPipeline(r, rec) })
			return all(r, sel)
		}
	case "endpoints":
		return recordsView(queue, endpointKind, func(r broker.Record) (string, error) { return r.Body, Check(r) })
	case "services":
		return recordsView(queue, serviceKind, func(r broker.Record) (string, error) { return r.Body, Check(r) })
	}
	return func(broker.Reader, broker.Select) ([]broker.Message, error) { return nil, nil }
}

// statusOf returns the pipeline whose status a queue shows, and whether it does.
func statusOf(queue string) (tid string, ok bool) {
	// It is called for every queue that is used, so the cheap check comes first.
	owner, isStatus := strings.CutSuffix(queue, ".status")
	tid, isPipeline := strings.CutPrefix(owner, "P")
	if !isStatus || !isPipeline {
		return "", false
	}
	_, err := broker.ParseID(tid)
	return tid, err == nil
}

// pipelineView shows the state of one pipeline, as one message.
func pipelineView(queue, tid string) broker.ViewFunc {
	return func(r broker.Reader, sel broker.Select) ([]broker.Message, error) {
		t, err := tasks.get(r, tid)
		if errors.Is(err, broker.ErrNotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		id := t.Number()
		if err != nil || t.Plan == nil || id <= sel.After || sel.Before != 0 && id >= sel.Before || sel.ID != 0 && id != sel.ID {
			return nil, err
		}
		body, err := showPipeline(r, t)
		return []broker.Message{{ID: id, Queue: queue, Body: body}}, err
	}
}

// shownPipeline returns the view of a pipeline that has not ended; empty for any other
// record.
func shownPipeline(r broker.Reader, rec broker.Record) (string, error) {
	if taskspec.Status(rec.State) != taskspec.StatusRunning {
		return "", nil
	}
	t, err := Decode(rec)
	if err != nil || t.Plan == nil {
		return "", err
	}
	return showPipeline(r, t)
}

// mapping maps a task's short id to its full id and its process.
func mapping(r broker.Record) (string, error) {
	t, err := Decode(r)
	if err != nil {
		return "", err
	}
	body, err := json.Marshal(struct {
		Short  string          `json:"short"`
		Full   string          `json:"full"`
		Name   string          `json:"name"`
		Status taskspec.Status `json:"status"`
		PID    int             `json:"pid,omitempty"`
	}{taskspec.ShortTID(t.TID), t.TID, t.Name, t.Status, t.Process.PID})
	return string(body), err
}

// recordsView shows records of a kind as messages, whose ids are the ranks and whose bodies
// come from show. A record whose body is empty, or that cannot be read, is left out.
func recordsView(queue, kind string, show func(broker.Record) (string, error)) broker.ViewFunc {
	return func(r broker.Reader, sel broker.Select) (ms []broker.Message, err error) {
		for rec, err := range each(r, kind, int64(max(sel.After, sel.ID-1))) {
			if err != nil {
				return nil, err
			}
			id := broker.ID(rec.Rank)
			if sel.Before != 0 && id >= sel.Before || sel.ID != 0 && id != sel.ID || sel.Limit > 0 && len(ms) == sel.Limit {
				break
			}
			body, err := show(rec)
			if damaged(err) {
				continue
			}
			if err != nil {
				return nil, err
			}
			if body != "" {
				ms = append(ms, broker.Message{ID: id, Queue: queue, Body: body})
			}
		}
		return ms, nil
	}
}
