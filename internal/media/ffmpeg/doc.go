// Package ffmpeg runs the system's ffmpeg and ffprobe, which decode what no
// package of this module does.
//
// A file is named to them as file:PATH and no protocol but files and pipes is
// allowed, so that neither a name nor what a file refers to reaches the network.
// Content without a path is written to a temporary file, which [Input.Close]
// removes.
//
// What a process writes is read as it comes; a reader that pauses makes the
// process wait. One that gives nothing for the time a reader waits at most is
// ended with its process group, and so is one whose context ends. [Process.Close]
// returns when the process is gone.
//
// Concurrency: an [Input] may be used by several goroutines; a [Process] belongs
// to one.
package ffmpeg
