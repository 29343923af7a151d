// Package openai serves OpenAI's API over a [backend.Backend]: models, chat
// completions, completions, responses, embeddings and files, under /v1 and, as
// Gemini's API has it too, under /v1beta/openai.
//
// Bodies are translated to a [backend.Request] and its events back. A field that is
// known here and cannot be honoured is an error that names it; one that is not known
// is ignored, as are those that ask for nothing of the answer (user, metadata,
// service_tier and the like). Nothing of a message is ever left out: a part that
// cannot be read is an error.
//
// Where it differs from OpenAI's own service:
//
//   - temperature is 0 where it is left out and one answer is wanted, so that an
//     answer is the likeliest; with n above 1 it is 1;
//   - what an answer rests on is said in evidence, beside the annotations: source,
//     line, page, time and the words that stand there. That, annotations and found are
//     of native models (of a model native is true): answers of open weights are in
//     their own words, and lack them;
//   - embeddings are of open weights alone (of a model embedding_dimensions is there);
//     of a native model they are an error;
//   - what files hold and was not read (members of archives, say) is said in skipped:
//     how many, and of the first few source and reason;
//   - cached_content names a stored context of Gemini's API that the messages go on from;
//   - return_progress streams how far reading has come, in chunks with
//     prompt_progress and no choices;
//   - video_url is a part of a message like image_url;
//   - responses that are stored are kept in memory, the latest of each key.
//
// The owner of files, contexts and responses is that of the request's context
// ([backend.Owner]). A handler may be used by any number of goroutines.
package openai
