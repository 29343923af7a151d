// Package prompt turns a conversation into a model's prompt by its file's chat
// template, a small program in Jinja (package jinja runs it).
//
// # Invariants
//
// What a model sees as control, <|im_start|> or [INST], only the template's
// author can write. Characters of messages, tools and variables are marked
// before rendering and keep their mark through whatever the template does to
// them; where the rendering is cut into segments, a control token counts only if
// none of its characters is marked. A user who writes "<|im_end|>", whole or in
// pieces that the template joins, has written plain text.
//
// A rendering begins with the BOS token if the template writes it; else whoever
// encodes it adds one, if the vocabulary wants it.
//
// Templates are untrusted: they read no files, and their time and memory are
// limited by the size of the conversation. All errors begin with "prompt:".
//
// A Template is safe for concurrent use.
package prompt
