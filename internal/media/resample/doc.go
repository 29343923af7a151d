// Package resample changes the rate of sound by a polyphase filter that suppresses
// what would alias by more than 80 dB.
package resample
