package broker

// shownAtOnce is how many messages are read at once to be shown: what is shown may be as
// large as a message can be.
const shownAtOnce = 16

// show replaces the bodies of stored messages by those that are shown.
func show(b *Broker, r Reader, fn ShowFunc, ms []Message) error {
	for i, m := range ms {
		body, err := fn(r, m)
		if err != nil {
			return err
		}
		if len(body) <= b.options.MaxMessage {
			ms[i].Body = body
		}
	}
	return nil
}

// scan is [Reader.Scan] for a queue that may be a view, or whose messages are shown in
// another way than they are stored.
func scan(b *Broker, r Reader, queue string, sel Select, fn func(Message) (more bool)) error {
	read, step := b.options.Views(queue), sel.Limit
	if shown := b.options.Shows(queue); shown != nil {
		// What is shown cannot be read during a scan.
		step = shownAtOnce
		read = func(r Reader, sel Select) ([]Message, error) {
			ms, err := r.Messages(queue, sel)
			if err == nil {
				err = show(b, r, shown, ms)
			}
			return ms, err
		}
	}
	if read == nil {
		return r.Scan(queue, sel, fn)
	}
	for left := sel.Limit; ; {
		if sel.Limit = step; left > 0 {
			sel.Limit = min(left, step)
		}
		ms, err := read(r, sel)
		if err != nil {
			return err
		}
		for _, m := range ms {
			if !fn(m) {
				return nil
			}
		}
		if left -= len(ms); len(ms) < sel.Limit || left == 0 || sel.Limit == 0 {
			return nil
		}
		sel.After = ms[len(ms)-1].ID
	}
}

// takeShown takes messages, and returns them as they are shown.
func takeShown(b *Broker, t BackendTx, queue string, sel Select) ([]Message, error) {
	ms, err := t.Take(queue, sel)
	if shown := b.options.Shows(queue); shown != nil && err == nil {
		err = show(b, t, shown, ms)
	}
	return ms, err
}

// moveShown moves messages into dst as they are shown, and returns them.
func moveShown(b *Broker, t BackendTx, src, dst string, sel Select) ([]Message, error) {
	if b.options.Shows(src) == nil {
		return t.Move(src, dst, sel)
	}
	ms, err := takeShown(b, t, src, sel)
	if err != nil {
		return nil, err
	}
	for i := range ms {
		ms[i].Queue = dst
	}
	return ms, t.Restore(ms)
}

// transferShown is moveShown for any number of messages: it only counts them.
func transferShown(b *Broker, t BackendTx, src, dst string, sel Select) (moved int, err error) {
	if b.options.Shows(src) == nil {
		return t.Transfer(src, dst, sel)
	}
	for some := sel; ; {
		if some.Limit = shownAtOnce; sel.Limit > 0 {
			some.Limit = min(sel.Limit-moved, shownAtOnce)
		}
		ms, err := moveShown(b, t, src, dst, some)
		moved += len(ms)
		if err != nil || len(ms) < some.Limit || moved == sel.Limit {
			return moved, err
		}
	}
}
