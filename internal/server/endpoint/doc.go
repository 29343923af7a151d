// Package endpoint asks models that other programs serve: Gemini itself and whatever
// speaks its API, and servers with OpenAI's API, such as vLLM, SGLang, Ollama and
// llama-server.
//
// [Open] finds out which of the two an address speaks and which models it has. A
// [Context] is what is asked about; [Prepare] makes its parts of opened files, the
// pictures, sound and films among them in forms that such servers take. What an
// answer quotes is believed only where [Cite] finds it in the files.
//
// Invariants:
//   - The key goes to the host that it was given for and nowhere else: redirects to
//     other hosts are refused, contents and all, and no error has it in its text.
//   - Nothing is cut off or left out silently. A prompt that is too long is a
//     [*LongError] with both counts.
//   - Requests are repeated while the server says that it is busy, and when a
//     connection breaks before an answer has begun; never after that.
//
// A Client may be used by several goroutines; a Context belongs to one.
package endpoint
