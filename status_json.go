package weft

import "weft/internal/jsonobject"

// MarshalJSON writes the status as an object. Times are nanoseconds since 1970, and what
// there is not is null, or left out.
func (s TaskStatus) MarshalJSON() ([]byte, error) {
	return jsonobject.New("tid", s.TID, "name", s.Name, "status", s.Status, "return_code", s.ReturnCode).
		AddOrNull("error", s.Error).AddOrNull("pid", s.PID).Add("attempt", s.Attempt).
		AddUnlessZero("max_attempts", s.MaxAttempts).AddUnlessZero("not_before", s.NotBefore).
		AddUnlessZero("paused", s.Paused).AddUnlessZero("waiting_for", s.WaitingFor).
		AddUnlessZero("items", s.Items).AddUnlessZero("service", s.Service).AddUnlessZero("tags", s.Tags).
		Add("created_at", s.Created).Add("started_at", s.Started).Add("completed_at", s.Completed).MarshalJSON()
}

// MarshalJSON writes the counts as an object.
func (c ItemCount) MarshalJSON() ([]byte, error) {
	return jsonobject.New("done", c.Done, "failed", c.Failed).AddUnlessZero("resting", c.Resting).
		Add("activity", c.Activity).AddOrNull("message_id", c.MessageID).MarshalJSON()
}

// MarshalJSON writes the result as an object, as [TaskStatus.MarshalJSON] does.
func (r Result) MarshalJSON() ([]byte, error) {
	var output any // null: it is not there
	switch {
	case r.Large != nil:
		output = r.Large
	case r.Output != nil:
		output = jsonobject.TextOrBytes(r.Output)
	}
	metrics := jsonobject.New("time", r.Elapsed(r.Completed).Seconds(), "cpu_seconds", r.CPUSeconds, "peak_memory_mb", r.PeakMB).
		AddUnlessZero("peak_cpu_percent", r.PeakCPU).AddUnlessZero("peak_fds", r.PeakFDs).
		AddUnlessZero("peak_net_connections", r.PeakConnections)
	return jsonobject.New("tid", r.TID, "status", r.Status, "return_code", r.ReturnCode, "output", output, "stderr", jsonobject.TextOrBytes(r.Stderr)).
		AddUnlessZero("stderr_truncated", r.StderrTruncated).AddOrNull("error", r.Error).
		AddUnlessZero("limit_means", r.LimitMeans).AddUnlessZero("narrowed", r.Narrowed).AddUnlessZero("details", r.Details).
		Add("metrics", metrics).MarshalJSON()
}
