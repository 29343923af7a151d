package kernel

import "golang.org/x/sys/cpu"

// detect asks the processor, and the operating system about register state.
func detect() features {
	x := &cpu.X86
	var f features
	f.avx2 = x.HasAVX2 && x.HasFMA
	f.avx512 = f.avx2 && x.HasAVX512F && x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL
	f.vnni = f.avx512 && x.HasAVX512VNNI
	f.bf16 = f.avx512 && x.HasAVX512BF16
	return f
}
