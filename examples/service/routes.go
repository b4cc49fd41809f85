package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"weft"
	"weft/taskspec"
)

func routes(p *weft.Project) http.Handler {
	mux := http.NewServeMux()

	// With the same Idempotency-Key and argument it is the same task, however often
	// a client tries. A wrong argument is refused here, before anything is queued.
	mux.HandleFunc("POST /functions/{name}", func(w http.ResponseWriter, r *http.Request) {
		argument, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		spec := weft.Function(r.PathValue("name"), json.RawMessage(argument))
		spec.Key = r.Header.Get("Idempotency-Key")
		spec.Timeout = time.Minute
		task, err := p.SubmitContext(r.Context(), spec)
		if err != nil {
			http.Error(w, err.Error(), statusOf(err))
			return
		}
		w.Header().Set("Location", "/tasks/"+task.TID())
		w.WriteHeader(http.StatusAccepted)
	})

	// Wait and Peek would wait for the end; Status says how it stands. The result is
	// left where it is, so that it can be asked for again.
	mux.HandleFunc("GET /tasks/{tid}", func(w http.ResponseWriter, r *http.Request) {
		answer, err := show(r.Context(), p, r.PathValue("tid"))
		if err != nil {
			http.Error(w, err.Error(), statusOf(err))
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(answer)
	})
	return mux
}

// An answer is what is shown of a task.
type answer struct {
	Status taskspec.Status `json:"status"`
	Error  string          `json:"error,omitempty"`
	Value  json.RawMessage `json:"value,omitempty"`
}

func show(ctx context.Context, p *weft.Project, tid string) (answer, error) {
	task, err := p.Task(ctx, tid)
	if err != nil {
		return answer{}, err
	}
	s, err := task.Status(ctx)
	if err != nil {
		return answer{}, err
	}
	if s.Status != taskspec.StatusCompleted {
		return answer{Status: s.Status, Error: s.Error}, nil
	}
	res, err := task.Peek(ctx)
	if err != nil {
		return answer{}, err
	}
	return answer{Status: res.Status, Value: res.Output}, nil
}

// statusOf tells a mistake of the client from one of ours.
func statusOf(err error) int {
	_, wrong := errors.AsType[*weft.ArgumentError](err)
	switch {
	case errors.Is(err, weft.ErrNoFunction), errors.Is(err, weft.ErrNoTask):
		return http.StatusNotFound
	case errors.Is(err, weft.ErrKeyHeld): // with another argument
		return http.StatusConflict
	case wrong:
		return http.StatusBadRequest
	}
	return http.StatusInternalServerError
}
