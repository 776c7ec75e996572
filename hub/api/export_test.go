package api

// Publish publishes an event as the publisher does.
func (a *API) Publish(kind string, v any) { a.events.publish(kind, v) }

// Kept returns how many events are kept, and their bytes.
func (a *API) Kept() (events, bytes int) {
	a.events.mu.Lock()
	defer a.events.mu.Unlock()
	return len(a.events.events), a.events.bytes
}

// Crowd makes the streams look as if n read each.
func (a *API) Crowd(n int64) {
	a.readers.all.Store(n)
	a.readers.captures.Store(n)
}
