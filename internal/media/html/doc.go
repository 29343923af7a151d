// Package html reads HTML and XHTML as text in the manner of Markdown: headings,
// lists, tables, preformatted text, and the addresses of absolute links. Scripts
// and styles are left out.
//
// Pages are read token by token, without a tree: broken markup is never an
// error, nesting costs nothing and the time is linear. Other formats that hold
// HTML call [Render].
package html
