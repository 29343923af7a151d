// Package disk is what files need of the operating system beside package os: locks
// between processes, directories that are synced, files mapped into memory.
//
// Functions may be called by several goroutines, for different files. Their errors
// name the file or directory.
package disk
