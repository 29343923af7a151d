// Package image reads pictures: PNG, JPEG, WebP, BMP, TIFF, GIF and, through
// ffmpeg, AVIF (its alpha is ignored). A GIF that moves is a film, and so is a
// directory of numbered pictures ([FrameDir]).
//
// A header is checked before anything is decoded, so that a picture of too many
// pixels costs nothing. Pixels are decoded when the part's stream is read: turned
// as EXIF says, laid over white and reduced to [media.Limits].PictureSide. Each page
// of a TIFF is a picture; of an animated PNG the first frame counts, as the format
// has it for readers that do not animate. HEIC and animated WebP are refused with a
// reason.
//
// Concurrency: functions keep no state; a stream belongs to one goroutine.
package image
