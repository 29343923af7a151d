package data

func (w *world) snippets(n int) {}
