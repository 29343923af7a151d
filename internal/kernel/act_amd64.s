#include "textflag.h"
#include "vec_amd64.h"

// func siluMulAVX512(dst, gate, up []float32)
TEXT ·siluMulAVX512(SB), NOSPLIT, $0-72
	MOVQ      dst_base+0(FP), DI
	MOVQ      dst_len+8(FP), CX
	MOVQ      gate_base+24(FP), SI
	MOVQ      up_base+48(FP), R9
	EXPCONST16
	VPXORD    Z5, Z5, Z5
	LANES16
	EACH16
	VMOVUPS.Z (SI)(AX*4), K1, Z0
	VMOVUPS.Z (R9)(AX*4), K1, Z4
	VSUBPS    Z0, Z5, Z1
	EXP16(Z1, Z2, Z3)
	VADDPS    Z27, Z1, Z1
	VDIVPS    Z1, Z0, Z0
	VMULPS    Z4, Z0, Z0
	VMOVUPS   Z0, K1, (DI)(AX*4)
	END16

done:
	VZEROUPPER
	RET

// func siluMulAVX2(dst, gate, up []float32)
TEXT ·siluMulAVX2(SB), NOSPLIT, $0-72
	MOVQ       dst_base+0(FP), DI
	MOVQ       dst_len+8(FP), CX
	MOVQ       gate_base+24(FP), SI
	MOVQ       up_base+48(FP), R9
	EXPCONST8
	VXORPS     Y5, Y5, Y5
	LANES8
	EACH8
	VMASKMOVPS (SI)(AX*4), Y15, Y0
	VMASKMOVPS (R9)(AX*4), Y15, Y4
	VSUBPS     Y0, Y5, Y1
	EXP8(Y1, Y2, Y3)
	VADDPS     352(R8), Y1, Y1
	VDIVPS     Y1, Y0, Y0
	VMULPS     Y4, Y0, Y0
	END8(Y0, DI)

done:
	VZEROUPPER
	RET

// func siluMulBackwardAVX512(dgate, dup, dh, gate, up []float32)
TEXT ·siluMulBackwardAVX512(SB), NOSPLIT, $0-120
	MOVQ         dgate_base+0(FP), DI
	MOVQ         dgate_len+8(FP), CX
	MOVQ         dup_base+24(FP), R10
	MOVQ         dh_base+48(FP), R11
	MOVQ         gate_base+72(FP), SI
	MOVQ         up_base+96(FP), R9
	EXPCONST16
	VPXORD       Z5, Z5, Z5
	LANES16
	EACH16
	VMOVUPS.Z    (SI)(AX*4), K1, Z0
	VMOVUPS.Z    (R9)(AX*4), K1, Z4
	VMOVUPS.Z    (R11)(AX*4), K1, Z6
	VSUBPS       Z0, Z5, Z1
	EXP16(Z1, Z2, Z3)
	VADDPS       Z27, Z1, Z1
	VDIVPS       Z1, Z27, Z1            // s = sigmoid(gate)
	VMULPS       Z1, Z0, Z0             // silu
	VSUBPS       Z1, Z27, Z2            // 1−s
	VFMADD231PS  Z2, Z0, Z1             // s + silu·(1−s)
	VMULPS       Z4, Z6, Z4
	VMULPS       Z1, Z4, Z4
	VMULPS       Z0, Z6, Z6
	VMOVUPS      Z4, K1, (DI)(AX*4)
	VMOVUPS      Z6, K1, (R10)(AX*4)
	END16

done:
	VZEROUPPER
	RET

// func geluAVX512(dst, x []float32)
TEXT ·geluAVX512(SB), NOSPLIT, $0-48
	MOVQ         dst_base+0(FP), DI
	MOVQ         dst_len+8(FP), CX
	MOVQ         x_base+24(FP), SI
	EXPCONST16
	VBROADCASTSS ·geluTable+0(SB), Z5
	VBROADCASTSS ·geluTable+4(SB), Z6
	VBROADCASTSS ·geluTable+8(SB), Z7
	LANES16
	EACH16
	VMOVUPS.Z    (SI)(AX*4), K1, Z0
	VMAXPS       Z0, Z5, Z0             // x second keeps NaN
	VMULPS       Z0, Z0, Z1
	VMULPS       Z0, Z1, Z1
	VMULPS       Z7, Z0, Z2
	VFMADD213PS  Z2, Z6, Z1             // −2z
	EXP16(Z1, Z2, Z3)
	VADDPS       Z27, Z1, Z1
	VDIVPS       Z1, Z0, Z0
	VMOVUPS      Z0, K1, (DI)(AX*4)
	END16

done:
	VZEROUPPER
	RET

// func relu2AVX512(dst, x []float32)
TEXT ·relu2AVX512(SB), NOSPLIT, $0-48
	MOVQ      dst_base+0(FP), DI
	MOVQ      dst_len+8(FP), CX
	MOVQ      x_base+24(FP), SI
	VPXORD    Z5, Z5, Z5
	LANES16
	EACH16
	VMOVUPS.Z (SI)(AX*4), K1, Z0
	VMAXPS    Z0, Z5, Z0                // x second keeps NaN
	VMULPS    Z0, Z0, Z0
	VMOVUPS   Z0, K1, (DI)(AX*4)
	END16

done:
	VZEROUPPER
	RET
