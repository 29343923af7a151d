// Package video reads films: whatever the system's ffmpeg can decode, and AVI of
// JPEG frames, as cameras and scientific instruments write it, without ffmpeg.
//
// A stream gives a frame every 1/FPS second, what the film shows at that moment,
// with the second of sound that begins there; sound between and after frames
// comes as chunks of its own. Pictures and sound are decoded side by side by two
// processes. Each waits when its reader does, so that neither can hold up the
// other and nothing piles up.
//
// A film that breaks off gives what could be decoded, and then a
// [*media.BrokenError] instead of io.EOF.
//
// Concurrency: functions keep no state; a stream belongs to one goroutine.
package video
