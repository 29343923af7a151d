#include "textflag.h"
#include "vec_amd64.h"

// func dotAVX512(x, y []float32) float32
TEXT ·dotAVX512(SB), NOSPLIT, $0-52
	MOVQ   x_base+0(FP), SI
	MOVQ   x_len+8(FP), CX
	MOVQ   y_base+24(FP), DI
	VPXORD Z0, Z0, Z0
	VPXORD Z1, Z1, Z1
	VPXORD Z2, Z2, Z2
	VPXORD Z3, Z3, Z3

wide:
	SUBQ        $64, CX
	JL          narrow
	VMOVUPS     (SI), Z4
	VMOVUPS     64(SI), Z5
	VMOVUPS     128(SI), Z6
	VMOVUPS     192(SI), Z7
	VFMADD231PS (DI), Z4, Z0
	VFMADD231PS 64(DI), Z5, Z1
	VFMADD231PS 128(DI), Z6, Z2
	VFMADD231PS 192(DI), Z7, Z3
	ADDQ        $256, SI
	ADDQ        $256, DI
	JMP         wide

narrow:
	ADDQ $64, CX
	LANES16
	EACH16
	VMOVUPS.Z   (SI)(AX*4), K1, Z4
	VMOVUPS.Z   (DI)(AX*4), K1, Z5
	VFMADD231PS Z5, Z4, Z0
	END16

done:
	VADDPS Z1, Z0, Z0
	VADDPS Z3, Z2, Z2
	VADDPS Z2, Z0, Z0
	SUM16
	VZEROUPPER
	MOVSS X0, ret+48(FP)
	RET

// func dotAVX2(x, y []float32) float32
TEXT ·dotAVX2(SB), NOSPLIT, $0-52
	MOVQ   x_base+0(FP), SI
	MOVQ   x_len+8(FP), CX
	MOVQ   y_base+24(FP), DI
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3

wide:
	SUBQ        $32, CX
	JL          narrow
	VMOVUPS     (SI), Y4
	VMOVUPS     32(SI), Y5
	VMOVUPS     64(SI), Y6
	VMOVUPS     96(SI), Y7
	VFMADD231PS (DI), Y4, Y0
	VFMADD231PS 32(DI), Y5, Y1
	VFMADD231PS 64(DI), Y6, Y2
	VFMADD231PS 96(DI), Y7, Y3
	ADDQ        $128, SI
	ADDQ        $128, DI
	JMP         wide

narrow:
	ADDQ $32, CX
	LANES8
	EACH8
	VMASKMOVPS  (SI)(AX*4), Y15, Y4
	VMASKMOVPS  (DI)(AX*4), Y15, Y5
	VFMADD231PS Y5, Y4, Y0
	ADDQ        $8, AX
	TESTQ       CX, CX
	JGE         next

done:
	VADDPS Y1, Y0, Y0
	VADDPS Y3, Y2, Y2
	VADDPS Y2, Y0, Y0
	SUM8
	VZEROUPPER
	MOVSS X0, ret+48(FP)
	RET

// func axpyAVX512(y, x []float32, a float32)
TEXT ·axpyAVX512(SB), NOSPLIT, $0-52
	MOVQ         y_base+0(FP), DI
	MOVQ         y_len+8(FP), CX
	MOVQ         x_base+24(FP), SI
	VBROADCASTSS a+48(FP), Z0
	LANES16
	EACH16
	VMOVUPS.Z    (SI)(AX*4), K1, Z1
	VMOVUPS.Z    (DI)(AX*4), K1, Z2
	VFMADD231PS  Z1, Z0, Z2
	VMOVUPS      Z2, K1, (DI)(AX*4)
	END16

done:
	VZEROUPPER
	RET

// func axpyAVX2(y, x []float32, a float32)
TEXT ·axpyAVX2(SB), NOSPLIT, $0-52
	MOVQ         y_base+0(FP), DI
	MOVQ         y_len+8(FP), CX
	MOVQ         x_base+24(FP), SI
	VBROADCASTSS a+48(FP), Y0
	LANES8
	EACH8
	VMASKMOVPS   (SI)(AX*4), Y15, Y1
	VMASKMOVPS   (DI)(AX*4), Y15, Y2
	VFMADD231PS  Y1, Y0, Y2
	END8(Y2, DI)

done:
	VZEROUPPER
	RET

// func addAVX512(y, x []float32)
TEXT ·addAVX512(SB), NOSPLIT, $0-48
	MOVQ      y_base+0(FP), DI
	MOVQ      y_len+8(FP), CX
	MOVQ      x_base+24(FP), SI
	LANES16
	EACH16
	VMOVUPS.Z (SI)(AX*4), K1, Z1
	VMOVUPS.Z (DI)(AX*4), K1, Z2
	VADDPS    Z1, Z2, Z2
	VMOVUPS   Z2, K1, (DI)(AX*4)
	END16

done:
	VZEROUPPER
	RET

// func addAVX2(y, x []float32)
TEXT ·addAVX2(SB), NOSPLIT, $0-48
	MOVQ       y_base+0(FP), DI
	MOVQ       y_len+8(FP), CX
	MOVQ       x_base+24(FP), SI
	LANES8
	EACH8
	VMASKMOVPS (SI)(AX*4), Y15, Y1
	VMASKMOVPS (DI)(AX*4), Y15, Y2
	VADDPS     Y1, Y2, Y2
	END8(Y2, DI)

done:
	VZEROUPPER
	RET

// func mulAVX512(dst, x, y []float32)
TEXT ·mulAVX512(SB), NOSPLIT, $0-72
	MOVQ      dst_base+0(FP), DI
	MOVQ      dst_len+8(FP), CX
	MOVQ      x_base+24(FP), SI
	MOVQ      y_base+48(FP), R9
	LANES16
	EACH16
	VMOVUPS.Z (SI)(AX*4), K1, Z1
	VMOVUPS.Z (R9)(AX*4), K1, Z2
	VMULPS    Z2, Z1, Z2
	VMOVUPS   Z2, K1, (DI)(AX*4)
	END16

done:
	VZEROUPPER
	RET

// func mulAVX2(dst, x, y []float32)
TEXT ·mulAVX2(SB), NOSPLIT, $0-72
	MOVQ       dst_base+0(FP), DI
	MOVQ       dst_len+8(FP), CX
	MOVQ       x_base+24(FP), SI
	MOVQ       y_base+48(FP), R9
	LANES8
	EACH8
	VMASKMOVPS (SI)(AX*4), Y15, Y1
	VMASKMOVPS (R9)(AX*4), Y15, Y2
	VMULPS     Y2, Y1, Y2
	END8(Y2, DI)

done:
	VZEROUPPER
	RET

// func mulAddAVX512(y, w, x []float32)
TEXT ·mulAddAVX512(SB), NOSPLIT, $0-72
	MOVQ        y_base+0(FP), DI
	MOVQ        y_len+8(FP), CX
	MOVQ        w_base+24(FP), R9
	MOVQ        x_base+48(FP), SI
	LANES16
	EACH16
	VMOVUPS.Z   (R9)(AX*4), K1, Z0
	VMOVUPS.Z   (SI)(AX*4), K1, Z1
	VMOVUPS.Z   (DI)(AX*4), K1, Z2
	VFMADD231PS Z1, Z0, Z2
	VMOVUPS     Z2, K1, (DI)(AX*4)
	END16

done:
	VZEROUPPER
	RET

// func mulAddAVX2(y, w, x []float32)
TEXT ·mulAddAVX2(SB), NOSPLIT, $0-72
	MOVQ        y_base+0(FP), DI
	MOVQ        y_len+8(FP), CX
	MOVQ        w_base+24(FP), R9
	MOVQ        x_base+48(FP), SI
	LANES8
	EACH8
	VMASKMOVPS  (R9)(AX*4), Y15, Y0
	VMASKMOVPS  (SI)(AX*4), Y15, Y1
	VMASKMOVPS  (DI)(AX*4), Y15, Y2
	VFMADD231PS Y1, Y0, Y2
	END8(Y2, DI)

done:
	VZEROUPPER
	RET

// func scaleAVX512(x []float32, a float32)
TEXT ·scaleAVX512(SB), NOSPLIT, $0-28
	MOVQ         x_base+0(FP), DI
	MOVQ         x_len+8(FP), CX
	VBROADCASTSS a+24(FP), Z0
	LANES16
	EACH16
	VMOVUPS.Z    (DI)(AX*4), K1, Z1
	VMULPS       Z0, Z1, Z1
	VMOVUPS      Z1, K1, (DI)(AX*4)
	END16

done:
	VZEROUPPER
	RET

// func scaleAVX2(x []float32, a float32)
TEXT ·scaleAVX2(SB), NOSPLIT, $0-28
	MOVQ         x_base+0(FP), DI
	MOVQ         x_len+8(FP), CX
	VBROADCASTSS a+24(FP), Y0
	LANES8
	EACH8
	VMASKMOVPS   (DI)(AX*4), Y15, Y1
	VMULPS       Y0, Y1, Y1
	END8(Y1, DI)

done:
	VZEROUPPER
	RET

// Of two values of which one is NaN, VMAXPS returns its first Go operand: the
// maxima below give the accumulator first, and so pass over NaN.

// func maxAVX512(x []float32) float32
TEXT ·maxAVX512(SB), NOSPLIT, $0-28
	MOVQ         x_base+0(FP), SI
	MOVQ         x_len+8(FP), CX
	MOVL         $0xff800000, BX
	VPBROADCASTD BX, Z0
	VMOVAPS      Z0, Z1
	VMOVAPS      Z0, Z2
	VMOVAPS      Z0, Z3

wide:
	SUBQ    $64, CX
	JL      narrow
	VMOVUPS (SI), Z4
	VMOVUPS 64(SI), Z5
	VMOVUPS 128(SI), Z6
	VMOVUPS 192(SI), Z7
	VMAXPS  Z0, Z4, Z0
	VMAXPS  Z1, Z5, Z1
	VMAXPS  Z2, Z6, Z2
	VMAXPS  Z3, Z7, Z3
	ADDQ    $256, SI
	JMP     wide

narrow:
	ADDQ $64, CX
	LANES16
	EACH16
	VMOVUPS.Z (SI)(AX*4), K1, Z4
	VMAXPS    Z0, Z4, K1, Z0
	END16

done:
	VMAXPS Z1, Z0, Z0
	VMAXPS Z3, Z2, Z2
	VMAXPS Z2, Z0, Z0
	MAX16
	VZEROUPPER
	MOVSS X0, ret+24(FP)
	RET

// func expAVX512(dst, x []float32, sub float32) float32
TEXT ·expAVX512(SB), NOSPLIT, $0-60
	MOVQ         dst_base+0(FP), DI
	MOVQ         dst_len+8(FP), CX
	MOVQ         x_base+24(FP), SI
	VBROADCASTSS sub+48(FP), Z5
	EXPCONST16
	VPXORD       Z0, Z0, Z0
	LANES16
	EACH16
	VMOVUPS.Z    (SI)(AX*4), K1, Z1
	VSUBPS       Z5, Z1, Z1
	EXP16(Z1, Z2, Z3)
	VMOVUPS      Z1, K1, (DI)(AX*4)
	VADDPS       Z1, Z0, K1, Z0
	END16

done:
	SUM16
	VZEROUPPER
	MOVSS X0, ret+56(FP)
	RET

// func expAVX2(dst, x []float32, sub float32) float32
TEXT ·expAVX2(SB), NOSPLIT, $0-60
	MOVQ         dst_base+0(FP), DI
	MOVQ         dst_len+8(FP), CX
	MOVQ         x_base+24(FP), SI
	VBROADCASTSS sub+48(FP), Y5
	EXPCONST8
	VXORPS       Y0, Y0, Y0
	LANES8
	EACH8
	VMASKMOVPS   (SI)(AX*4), Y15, Y1
	VSUBPS       Y5, Y1, Y1
	EXP8(Y1, Y2, Y3)
	VANDPS       Y15, Y1, Y2
	VADDPS       Y2, Y0, Y0
	END8(Y1, DI)

done:
	SUM8
	VZEROUPPER
	MOVSS X0, ret+56(FP)
	RET

// func expSumAVX512(x []float32, sub float32) float32
TEXT ·expSumAVX512(SB), NOSPLIT, $0-36
	MOVQ         x_base+0(FP), SI
	MOVQ         x_len+8(FP), CX
	VBROADCASTSS sub+24(FP), Z5
	EXPCONST16
	VPXORD       Z0, Z0, Z0
	LANES16
	EACH16
	VMOVUPS.Z    (SI)(AX*4), K1, Z1
	VSUBPS       Z5, Z1, Z1
	EXP16(Z1, Z2, Z3)
	VADDPS       Z1, Z0, K1, Z0
	END16

done:
	SUM16
	VZEROUPPER
	MOVSS X0, ret+32(FP)
	RET

// func expSumAVX2(x []float32, sub float32) float32
TEXT ·expSumAVX2(SB), NOSPLIT, $0-36
	MOVQ         x_base+0(FP), SI
	MOVQ         x_len+8(FP), CX
	VBROADCASTSS sub+24(FP), Y5
	EXPCONST8
	VXORPS       Y0, Y0, Y0
	LANES8
	EACH8
	VMASKMOVPS   (SI)(AX*4), Y15, Y1
	VSUBPS       Y5, Y1, Y1
	EXP8(Y1, Y2, Y3)
	VANDPS       Y15, Y1, Y1
	VADDPS       Y1, Y0, Y0
	ADDQ         $8, AX
	TESTQ        CX, CX
	JGE          next

done:
	SUM8
	VZEROUPPER
	MOVSS X0, ret+32(FP)
	RET

// func scaleMaxAVX512(x []float32, a float32) float32
TEXT ·scaleMaxAVX512(SB), NOSPLIT, $0-36
	MOVQ         x_base+0(FP), DI
	MOVQ         x_len+8(FP), CX
	VBROADCASTSS a+24(FP), Z5
	MOVL         $0xff800000, BX
	VPBROADCASTD BX, Z4
	VMOVAPS      Z4, Z0
	LANES16
	EACH16
	VMOVUPS.Z    (DI)(AX*4), K1, Z1
	VCMPPS       $0x04, Z4, Z1, K2
	VMULPS       Z5, Z1, K2, Z1
	VMOVUPS      Z1, K1, (DI)(AX*4)
	VMAXPS       Z0, Z1, K1, Z0
	END16

done:
	MAX16
	VZEROUPPER
	MOVSS X0, ret+32(FP)
	RET

// func scaleMaxAVX2(x []float32, a float32) float32
TEXT ·scaleMaxAVX2(SB), NOSPLIT, $0-36
	MOVQ         x_base+0(FP), DI
	MOVQ         x_len+8(FP), CX
	VBROADCASTSS a+24(FP), Y5
	MOVL         $0xff800000, BX
	VMOVD        BX, X4
	VBROADCASTSS X4, Y4
	VMOVAPS      Y4, Y0
	LANES8
	EACH8
	VMASKMOVPS   (DI)(AX*4), Y15, Y1
	VCMPPS       $0x00, Y4, Y1, Y2
	VMULPS       Y5, Y1, Y1
	VBLENDVPS    Y2, Y4, Y1, Y1
	VBLENDVPS    Y15, Y1, Y4, Y2
	VMAXPS       Y0, Y2, Y0
	END8(Y1, DI)

done:
	MAX8
	VZEROUPPER
	MOVSS X0, ret+32(FP)
	RET

// func softmaxBackwardAVX512(dp, p []float32, scale, dot float32)
TEXT ·softmaxBackwardAVX512(SB), NOSPLIT, $0-56
	MOVQ         dp_base+0(FP), DI
	MOVQ         dp_len+8(FP), CX
	MOVQ         p_base+24(FP), SI
	VBROADCASTSS scale+48(FP), Z5
	VBROADCASTSS dot+52(FP), Z4
	LANES16
	EACH16
	VMOVUPS.Z    (SI)(AX*4), K1, Z0
	VMOVUPS.Z    (DI)(AX*4), K1, Z1
	VMULPS       Z5, Z0, Z0
	VSUBPS       Z4, Z1, Z1
	VMULPS       Z0, Z1, Z1
	VMOVUPS      Z1, K1, (DI)(AX*4)
	END16

done:
	VZEROUPPER
	RET

// func toBF16AVX512(dst []uint16, x []float32)
TEXT ·toBF16AVX512(SB), NOSPLIT, $0-48
	MOVQ         dst_base+0(FP), DI
	MOVQ         dst_len+8(FP), CX
	MOVQ         x_base+24(FP), SI
	MOVL         $1, BX
	VPBROADCASTD BX, Z16
	MOVL         $0x7fff, BX
	VPBROADCASTD BX, Z17
	MOVL         $0x40, BX
	VPBROADCASTD BX, Z18
	LANES16
	EACH16
	VMOVUPS.Z    (SI)(AX*4), K1, Z0
	VPSRLD       $16, Z0, Z1
	VPANDD       Z16, Z1, Z2
	VPADDD       Z17, Z2, Z2
	VPADDD       Z0, Z2, Z2
	VPSRLD       $16, Z2, Z2
	VCMPPS       $0x03, Z0, Z0, K2
	VPORD        Z18, Z1, K2, Z2
	VPMOVDW      Z2, Y2
	VMOVDQU16    Y2, K1, (DI)(AX*2)
	END16

done:
	VZEROUPPER
	RET

// func fromBF16AVX512(dst []float32, x []uint16)
TEXT ·fromBF16AVX512(SB), NOSPLIT, $0-48
	MOVQ        dst_base+0(FP), DI
	MOVQ        dst_len+8(FP), CX
	MOVQ        x_base+24(FP), SI
	LANES16
	EACH16
	VMOVDQU16.Z (SI)(AX*2), K1, Y0
	VPMOVZXWD   Y0, Z0
	VPSLLD      $16, Z0, Z0
	VMOVUPS     Z0, K1, (DI)(AX*4)
	END16

done:
	VZEROUPPER
	RET

// func maxAbsAVX512(x []float32) float32
TEXT ·maxAbsAVX512(SB), NOSPLIT, $0-28
	MOVQ         x_base+0(FP), SI
	MOVQ         x_len+8(FP), CX
	MOVL         $0x7fffffff, BX
	VPBROADCASTD BX, Z5
	VPXORD       Z0, Z0, Z0
	LANES16
	EACH16
	VMOVUPS.Z    (SI)(AX*4), K1, Z1
	VPANDD       Z5, Z1, Z1
	VMAXPS       Z0, Z1, Z0
	END16

done:
	MAX16
	VZEROUPPER
	MOVSS X0, ret+24(FP)
	RET

// func round8AVX512(dst []int8, x []float32, inv float32)
TEXT ·round8AVX512(SB), NOSPLIT, $0-52
	MOVQ         dst_base+0(FP), DI
	MOVQ         dst_len+8(FP), CX
	MOVQ         x_base+24(FP), SI
	VBROADCASTSS inv+48(FP), Z5
	LANES16
	EACH16
	VMOVUPS.Z    (SI)(AX*4), K1, Z0
	VMULPS       Z5, Z0, Z0
	VCMPPS       $0x07, Z0, Z0, K2
	VCVTPS2DQ.Z  Z0, K2, Z0
	VPMOVSDB     Z0, X0
	VMOVDQU8     X0, K1, (DI)(AX*1)
	END16

done:
	VZEROUPPER
	RET

// func offsetBinaryAVX512(dst []byte, x []int8)
TEXT ·offsetBinaryAVX512(SB), NOSPLIT, $0-48
	MOVQ         dst_base+0(FP), DI
	MOVQ         dst_len+8(FP), CX
	MOVQ         x_base+24(FP), SI
	MOVL         $0x80808080, BX
	VPBROADCASTD BX, Z5
	XORL         AX, AX
	MOVQ         $-1, DX
	KMOVQ        DX, K1

next:
	SUBQ  $64, CX
	JGE   body
	ADDQ  $64, CX
	JZ    done
	BZHIQ CX, DX, BX
	KMOVQ BX, K1
	XORL  CX, CX

body:
	VMOVDQU8.Z (SI)(AX*1), K1, Z0
	VPXORD     Z5, Z0, Z0
	VMOVDQU8   Z0, K1, (DI)(AX*1)
	ADDQ       $64, AX
	JMP        next

done:
	VZEROUPPER
	RET
