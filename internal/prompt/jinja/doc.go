// Package jinja renders the subset of the Jinja template language that chat
// templates use, with the settings and extensions of Hugging Face's renderer:
// trim_blocks and lstrip_blocks, break and continue, generation blocks,
// raise_exception, strftime_now, and a tojson that keeps order and escapes no
// HTML. What it says is compared with Jinja 3.1.
//
// Left out: template inheritance and inclusion, call blocks, recursive loops,
// formatting with %, and everything that changes a list or a dict in place, which
// Hugging Face's sandbox refuses too. A tuple is a list.
//
// # Provenance
//
// A [Text] remembers of each character whether the template or the data brought
// it. Whatever a template does to a text, slice, strip, replace, upper or tojson,
// the mark stays on the character. So what is said of the result holds for any
// template: a character without mark was written by the template's author.
//
// # Limits
//
// Templates are untrusted. Every node that runs and every character or element
// that is made is charged to a budget of work that grows with the input, so that
// no template runs for long or fills the memory; depth of nesting, of evaluation
// and of values is limited, and the context is checked on the way. There is no
// access to files or the network. Malformed templates and failing ones are an
// [Error] with its line.
//
// A Template may be rendered by several goroutines at once. Values are not
// changed by rendering and may be shared.
package jinja
