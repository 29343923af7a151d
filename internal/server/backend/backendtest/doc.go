// Package backendtest has a backend in memory that needs no model, for tests of what
// stands on [backend.Backend].
//
// A [Fake] answers with the words of the question, a word a piece and a token a word,
// so that a test can say beforehand what comes back. All of it is deterministic: IDs
// count up, times are the clock's ([Fake.SetClock]), errors come where a test asks for
// them ([Fake.Fail]), and answers stop where a test wants to look ([Fake.Pause]).
//
// What it says:
//
//   - The answer is the text of the last user's message; of the answers after the
//     first, that and " #2", " #3" and so on.
//   - With a schema the answer is the smallest JSON value that shows every property.
//   - With tools it calls the one that the question names as "call NAME", and the first
//     one allowed where it must call; arguments are made like answers with a schema.
//   - A question with the word "nowhere" is answered with Found false.
//   - Every file, piece of data and source of a stored context is evidence, of equal weight,
//     its quote the first words; of documents page 1, of films and recordings second 1.
//   - A file whose name has the word "broken" in it ends FAILED.
//   - Of a file whose name has the word "partly" in it two members are skipped.
//
// Tokens of media are counted by MIME type: 258 an image and a page, 300 a second of
// film and 25 a second of sound, every one of which is taken to last ten seconds.
package backendtest
