#include "textflag.h"
#include "vec_amd64.h"

// func scaleMulAVX512(y, x, gain []float32, inv float32)
TEXT ·scaleMulAVX512(SB), NOSPLIT, $0-76
	MOVQ         y_base+0(FP), DI
	MOVQ         y_len+8(FP), CX
	MOVQ         x_base+24(FP), SI
	MOVQ         gain_base+48(FP), R9
	VBROADCASTSS inv+72(FP), Z5
	LANES16
	EACH16
	VMOVUPS.Z    (SI)(AX*4), K1, Z0
	VMOVUPS.Z    (R9)(AX*4), K1, Z1
	VMULPS       Z5, Z0, Z0
	VMULPS       Z1, Z0, Z0
	VMOVUPS      Z0, K1, (DI)(AX*4)
	END16

done:
	VZEROUPPER
	RET

// func scaleMulAVX2(y, x, gain []float32, inv float32)
TEXT ·scaleMulAVX2(SB), NOSPLIT, $0-76
	MOVQ         y_base+0(FP), DI
	MOVQ         y_len+8(FP), CX
	MOVQ         x_base+24(FP), SI
	MOVQ         gain_base+48(FP), R9
	VBROADCASTSS inv+72(FP), Y5
	LANES8
	EACH8
	VMASKMOVPS   (SI)(AX*4), Y15, Y0
	VMASKMOVPS   (R9)(AX*4), Y15, Y1
	VMULPS       Y5, Y0, Y0
	VMULPS       Y1, Y0, Y0
	END8(Y0, DI)

done:
	VZEROUPPER
	RET

// func dot3AVX512(x, y, z []float32) float32
TEXT ·dot3AVX512(SB), NOSPLIT, $0-76
	MOVQ        x_base+0(FP), SI
	MOVQ        x_len+8(FP), CX
	MOVQ        y_base+24(FP), R9
	MOVQ        z_base+48(FP), R10
	VPXORD      Z0, Z0, Z0
	LANES16
	EACH16
	VMOVUPS.Z   (SI)(AX*4), K1, Z1
	VMOVUPS.Z   (R9)(AX*4), K1, Z2
	VMOVUPS.Z   (R10)(AX*4), K1, Z3
	VMULPS      Z3, Z1, Z1
	VFMADD231PS Z2, Z1, Z0
	END16

done:
	SUM16
	VZEROUPPER
	MOVSS X0, ret+72(FP)
	RET

// func rmsNormBackwardAVX512(dx, dgain, dy, x, gain []float32, inv, c float32)
TEXT ·rmsNormBackwardAVX512(SB), NOSPLIT, $0-128
	MOVQ         dx_base+0(FP), DI
	MOVQ         dx_len+8(FP), CX
	MOVQ         dgain_base+24(FP), R11
	MOVQ         dy_base+48(FP), R10
	MOVQ         x_base+72(FP), SI
	MOVQ         gain_base+96(FP), R9
	VBROADCASTSS inv+120(FP), Z5
	VBROADCASTSS c+124(FP), Z6
	LANES16
	EACH16
	VMOVUPS.Z    (R10)(AX*4), K1, Z0
	VMOVUPS.Z    (SI)(AX*4), K1, Z1
	VMOVUPS.Z    (R9)(AX*4), K1, Z2
	VMOVUPS.Z    (DI)(AX*4), K1, Z3
	VMOVUPS.Z    (R11)(AX*4), K1, Z4
	VMULPS       Z2, Z0, Z2             // dy·gain
	VFNMADD231PS Z1, Z6, Z2             // − c·x
	VFMADD231PS  Z2, Z5, Z3
	VMULPS       Z5, Z1, Z1
	VFMADD231PS  Z1, Z0, Z4
	VMOVUPS      Z3, K1, (DI)(AX*4)
	VMOVUPS      Z4, K1, (R11)(AX*4)
	END16

done:
	VZEROUPPER
	RET

// func ropeAVX512(x, y, cos, sin []float32, sign float32)
TEXT ·ropeAVX512(SB), NOSPLIT, $0-100
	MOVQ         x_base+0(FP), DI
	MOVQ         x_len+8(FP), CX
	MOVQ         y_base+24(FP), SI
	MOVQ         cos_base+48(FP), R9
	MOVQ         sin_base+72(FP), R10
	VBROADCASTSS sign+96(FP), Z5
	LANES16
	EACH16
	VMOVUPS.Z    (DI)(AX*4), K1, Z0
	VMOVUPS.Z    (SI)(AX*4), K1, Z1
	VMOVUPS.Z    (R9)(AX*4), K1, Z2
	VMOVUPS.Z    (R10)(AX*4), K1, Z3
	VMULPS       Z5, Z3, Z3
	VMULPS       Z0, Z2, Z4
	VFNMADD231PS Z1, Z3, Z4             // x·cos − y·sin
	VMULPS       Z0, Z3, Z0
	VFMADD231PS  Z1, Z2, Z0             // x·sin + y·cos
	VMOVUPS      Z4, K1, (DI)(AX*4)
	VMOVUPS      Z0, K1, (SI)(AX*4)
	END16

done:
	VZEROUPPER
	RET
