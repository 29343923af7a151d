package data

// quote asks how n sentences of the context go on.
func (w *world) quote(n int) {}
