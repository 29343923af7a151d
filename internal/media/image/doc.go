// Package image reads pictures: PNG, JPEG, WebP, BMP, TIFF, GIF and, through
// ffmpeg, AVIF (its alpha is ignored). A GIF that moves is a film, and so is a
// directory of numbered pictures ([FrameDir]).
//
// A header is checked before anything is decoded, so that a picture of too many
// pixels costs nothing. Pixels are decoded when the part's stream is read: turned
// as EXIF says, laid over white and reduced to [media.Limits].PictureSide. Of
// files that hold several pictures (TIFF, animated PNG) the first counts. HEIC and
// animated WebP are refused with a reason.
//
// Concurrency: functions keep no state; a stream belongs to one goroutine.
package image
