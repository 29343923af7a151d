// Package handscroll reads long texts and answers questions about them, with
// evidence.
//
//	m, err := handscroll.Open("")           // the model in the binary
//	c := m.NewContext(handscroll.ContextOptions{})
//	parts, skipped, err := handscroll.Files(ctx, []string{"src"}, handscroll.FileOptions{})
//	err = c.Read(ctx, parts, nil)
//	answer, err := c.Ask(ctx, "What is the default port?")
//	fmt.Println(answer.Text)
//	for _, e := range answer.Evidence {
//		fmt.Printf("%s:%d: %s\n", e.Source, e.Line, e.Quote)
//	}
//
// A [Context] is a list of parts, each read on its own; reading is linear in
// length, and every token costs about 140 bytes. A context made by
// [Model.NewContext] lives in memory, one made by [Model.OpenContext] in a
// directory, where reading resumes after any interruption and asking needs no
// reading at all. Nothing is ever truncated: what does not fit is an error that
// says how much would.
//
// Answers are copied from the context. When the answer is not in the context,
// [Answer.Found] is false.
//
// A Model may be shared by goroutines. A Context may be asked by several at
// once, but not while it is being read into, closed or changed otherwise.
package handscroll
