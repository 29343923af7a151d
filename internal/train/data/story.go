package data

func (w *world) stories(n int) {}
