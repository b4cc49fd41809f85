package broker

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
	if view := b.options.Views(queue); view != nil {
		ms, err := view(r, sel)
		if err != nil {
			return err
		}
		for _, m := range ms {
			if !fn(m) {
				break
			}
		}
		return nil
	}
	shown := b.options.Shows(queue)
	if shown == nil {
		return r.Scan(queue, sel, fn)
	}
	for left := sel.Limit; ; {
		// What is shown cannot be read during a scan.
		sel.Limit = page
		if left > 0 {
			sel.Limit = min(page, left)
		}
		ms, whole, err := readPage(r, queue, sel)
		if err != nil {
			return err
		}
		for i := range ms {
			if err := show(b, r, shown, ms[i:i+1]); err != nil {
				return err
			}
			if !fn(ms[i]) {
				return nil
			}
		}
		if left -= len(ms); whole || left == 0 {
			return nil
		}
		sel.After = ms[len(ms)-1].ID
	}
}

// readPage reads the first of the selected messages, as they are stored, but few if they
// are large. whole is true if there are no others.
func readPage(r Reader, queue string, sel Select) (ms []Message, whole bool, err error) {
	size := 0
	err = r.Scan(queue, sel, func(m Message) bool {
		ms = append(ms, m)
		size += len(m.Body)
		return size < pageBytes
	})
	return ms, size < pageBytes && len(ms) < sel.Limit, err
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

// shownAtOnce is how many messages transferShown has in memory: what is shown may be as
// large as a message can be.
const shownAtOnce = 16

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
