// Package eval measures what a model finds in a long context.
//
// The protocol is the needle in a haystack: a text is read once as far as the
// longest length asks for (a [Base]), and every trial is a view of its first L
// tokens with one or more needles set into it at a sentence or line boundary
// near the wanted depth. A [Task] (internal/eval/task holds one benchmark a
// file) says what is hidden and what is asked; [Run] asks it and writes
//
//	run.json       what was measured, so that an interrupted run resumes
//	results.jsonl  one [Result] a trial, appended as it happens
//	summary.json   recall of every cell with 95 % Wilson intervals
//	heatmap.png    context length across, depth down, green found, red missed
//	heatmap.svg
//
// A [Study] is the same for films and recordings, run by [Observe]: haystacks are
// read once, trials are cuts of them, and every question has two verdicts that are
// counted apart: the place was found, the answer was exact. It writes the same
// files, with one [Finding] a line and two heat maps for each group of questions.
//
// Invariants:
//   - Scoring compares exact strings. No judge; case counts, but in words that were
//     read in frames or heard.
//   - Every random choice comes from the seed in run.json: a trial is the same
//     whether the run was interrupted before it or not.
//   - A result line is written with one write; a torn last line is dropped and
//     its trial repeated.
//
// The package sees the model through [Model], [Base] and [Context] alone, so
// anything that reads text and answers can be measured; [Native] adapts this
// project's own.
//
// A run uses its Base from one goroutine at a time.
package eval
