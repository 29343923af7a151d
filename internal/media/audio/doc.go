// Package audio reads sound: WAV with a decoder of its own, FLAC and most MP3 with
// decoders in Go, everything else through ffmpeg.
//
// A stream gives chunks of a second of mono samples at [media.SampleRate]; no
// file is ever held in memory for its samples. Channels are averaged, and other
// rates resampled by a polyphase filter that suppresses what would alias by more
// than 80 dB.
//
// A file that breaks off gives the samples it has, and then a
// [*media.BrokenError] instead of io.EOF. One without a sample is an error.
//
// Concurrency: functions keep no state; a stream belongs to one goroutine.
package audio
