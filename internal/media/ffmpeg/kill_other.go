//go:build !unix

package ffmpeg

import "os/exec"

// ownGroup does nothing where there are no groups; ffmpeg starts no processes.
func ownGroup(*exec.Cmd) {}

func killGroup(cmd *exec.Cmd) error { return cmd.Process.Kill() }
