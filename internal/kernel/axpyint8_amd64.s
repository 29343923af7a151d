#include "textflag.h"
#include "vec_amd64.h"

// func axpyInt8AVX512(y []float32, x []int8, a float32)
TEXT ·axpyInt8AVX512(SB), NOSPLIT, $0-52
	MOVQ         y_base+0(FP), DI
	MOVQ         y_len+8(FP), CX
	MOVQ         x_base+24(FP), SI
	VBROADCASTSS a+48(FP), Z3
	LANES16
	EACH16
	VPMOVSXBD.Z  (SI)(AX*1), K1, Z1
	VCVTDQ2PS    Z1, Z1
	VMOVUPS.Z    (DI)(AX*4), K1, Z0
	VFMADD231PS  Z1, Z3, Z0
	VMOVUPS      Z0, K1, (DI)(AX*4)
	END16

done:
	VZEROUPPER
	RET
