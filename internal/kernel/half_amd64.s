#include "textflag.h"
#include "vec_amd64.h"

// func toHalfAVX512(dst []uint16, x []float32)
TEXT ·toHalfAVX512(SB), NOSPLIT, $0-48
	MOVQ      dst_base+0(FP), DI
	MOVQ      dst_len+8(FP), CX
	MOVQ      x_base+24(FP), SI
	LANES16
	EACH16
	VMOVUPS.Z (SI)(AX*4), K1, Z0
	VCVTPS2PH $0, Z0, Y0
	VMOVDQU16 Y0, K1, (DI)(AX*2)
	END16

done:
	VZEROUPPER
	RET

#define WIDEN8 \
	VPMOVSXBD (SI), Z2;   \
	VPMOVSXBD 16(SI), Z3; \
	VCVTDQ2PS Z2, Z2;     \
	VCVTDQ2PS Z3, Z3;     \
	VMULPS    Z0, Z2, Z2; \
	VMULPS    Z1, Z3, Z3; \
	VMOVUPS   Z2, (DI);   \
	VMOVUPS   Z3, 64(DI); \
	ADDQ      $32, SI;    \
	ADDQ      $128, DI

// func widen8ColsAVX512(dst *float32, q *int8, scale *float32, rows int)
TEXT ·widen8ColsAVX512(SB), NOSPLIT, $0-32
	MOVQ    dst+0(FP), DI
	MOVQ    q+8(FP), SI
	MOVQ    scale+16(FP), R8
	MOVQ    rows+24(FP), CX
	VMOVUPS (R8), Z0
	VMOVUPS 64(R8), Z1

loop:
	WIDEN8
	DECQ CX
	JNZ  loop
	VZEROUPPER
	RET

// func widen8RowsAVX512(dst *float32, q *int8, scale *float32, rows int)
TEXT ·widen8RowsAVX512(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ q+8(FP), SI
	MOVQ scale+16(FP), R8
	MOVQ rows+24(FP), CX

loop:
	VBROADCASTSS (R8), Z0
	VMOVAPS      Z0, Z1
	WIDEN8
	ADDQ         $4, R8
	DECQ         CX
	JNZ          loop
	VZEROUPPER
	RET
