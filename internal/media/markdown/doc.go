// Package markdown writes the text of documents in the manner of Markdown:
// headings, lists, rows of tables, and marks of the pages they come from. It
// escapes nothing: what is written is meant to be read, not to be rendered.
//
// A [Writer] belongs to one goroutine. It holds no more than the limit it was
// made with; what goes beyond is dropped, and [Writer.Err] says so.
package markdown
