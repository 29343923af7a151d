#include "textflag.h"
#include "vec_amd64.h"

// func scan64AVX512(dst *float32, ld int, q *int8, qscale *float32, corr *int32, k *byte, kscale *float32, heads, blocks int)
//
// Sixteen keys at a time are transposed, so that Zj holds bytes 4j…4j+3 of all
// of them, and each lane then sums up one key: no sum across lanes is needed.
TEXT ·scan64AVX512(SB), NOSPLIT, $0-72
	MOVQ dst+0(FP), DI
	MOVQ ld+8(FP), DX
	MOVQ k+40(FP), SI
	MOVQ kscale+48(FP), R8
	MOVQ blocks+64(FP), CX
	SHLQ $2, DX

block:
	DECQ      CX
	JL        done
	VMOVDQU32 0(SI), Z0
	VMOVDQU32 64(SI), Z1
	VMOVDQU32 128(SI), Z2
	VMOVDQU32 192(SI), Z3
	VMOVDQU32 256(SI), Z4
	VMOVDQU32 320(SI), Z5
	VMOVDQU32 384(SI), Z6
	VMOVDQU32 448(SI), Z7
	VMOVDQU32 512(SI), Z8
	VMOVDQU32 576(SI), Z9
	VMOVDQU32 640(SI), Z10
	VMOVDQU32 704(SI), Z11
	VMOVDQU32 768(SI), Z12
	VMOVDQU32 832(SI), Z13
	VMOVDQU32 896(SI), Z14
	VMOVDQU32 960(SI), Z15

	// Pairs of rows, then fours, interleaved within the 128-bit lanes: row
	// 4g+j becomes, of rows 4g…4g+3, the words j, 4+j, 8+j and 12+j.
	VPUNPCKLDQ  Z1, Z0, Z16
	VPUNPCKHDQ  Z1, Z0, Z17
	VPUNPCKLDQ  Z3, Z2, Z18
	VPUNPCKHDQ  Z3, Z2, Z19
	VPUNPCKLDQ  Z5, Z4, Z20
	VPUNPCKHDQ  Z5, Z4, Z21
	VPUNPCKLDQ  Z7, Z6, Z22
	VPUNPCKHDQ  Z7, Z6, Z23
	VPUNPCKLDQ  Z9, Z8, Z24
	VPUNPCKHDQ  Z9, Z8, Z25
	VPUNPCKLDQ  Z11, Z10, Z26
	VPUNPCKHDQ  Z11, Z10, Z27
	VPUNPCKLDQ  Z13, Z12, Z28
	VPUNPCKHDQ  Z13, Z12, Z29
	VPUNPCKLDQ  Z15, Z14, Z30
	VPUNPCKHDQ  Z15, Z14, Z31
	VPUNPCKLQDQ Z18, Z16, Z0
	VPUNPCKHQDQ Z18, Z16, Z1
	VPUNPCKLQDQ Z19, Z17, Z2
	VPUNPCKHQDQ Z19, Z17, Z3
	VPUNPCKLQDQ Z22, Z20, Z4
	VPUNPCKHQDQ Z22, Z20, Z5
	VPUNPCKLQDQ Z23, Z21, Z6
	VPUNPCKHQDQ Z23, Z21, Z7
	VPUNPCKLQDQ Z26, Z24, Z8
	VPUNPCKHQDQ Z26, Z24, Z9
	VPUNPCKLQDQ Z27, Z25, Z10
	VPUNPCKHQDQ Z27, Z25, Z11
	VPUNPCKLQDQ Z30, Z28, Z12
	VPUNPCKHQDQ Z30, Z28, Z13
	VPUNPCKLQDQ Z31, Z29, Z14
	VPUNPCKHQDQ Z31, Z29, Z15

	// Gather lane l of all groups into word 4l+j.
	VSHUFI32X4 $0x88, Z4, Z0, Z16
	VSHUFI32X4 $0xdd, Z4, Z0, Z17
	VSHUFI32X4 $0x88, Z12, Z8, Z18
	VSHUFI32X4 $0xdd, Z12, Z8, Z19
	VSHUFI32X4 $0x88, Z5, Z1, Z20
	VSHUFI32X4 $0xdd, Z5, Z1, Z21
	VSHUFI32X4 $0x88, Z13, Z9, Z22
	VSHUFI32X4 $0xdd, Z13, Z9, Z23
	VSHUFI32X4 $0x88, Z6, Z2, Z24
	VSHUFI32X4 $0xdd, Z6, Z2, Z25
	VSHUFI32X4 $0x88, Z14, Z10, Z26
	VSHUFI32X4 $0xdd, Z14, Z10, Z27
	VSHUFI32X4 $0x88, Z7, Z3, Z28
	VSHUFI32X4 $0xdd, Z7, Z3, Z29
	VSHUFI32X4 $0x88, Z15, Z11, Z30
	VSHUFI32X4 $0xdd, Z15, Z11, Z31
	VSHUFI32X4 $0x88, Z18, Z16, Z0
	VSHUFI32X4 $0x88, Z19, Z17, Z4
	VSHUFI32X4 $0xdd, Z18, Z16, Z8
	VSHUFI32X4 $0xdd, Z19, Z17, Z12
	VSHUFI32X4 $0x88, Z22, Z20, Z1
	VSHUFI32X4 $0x88, Z23, Z21, Z5
	VSHUFI32X4 $0xdd, Z22, Z20, Z9
	VSHUFI32X4 $0xdd, Z23, Z21, Z13
	VSHUFI32X4 $0x88, Z26, Z24, Z2
	VSHUFI32X4 $0x88, Z27, Z25, Z6
	VSHUFI32X4 $0xdd, Z26, Z24, Z10
	VSHUFI32X4 $0xdd, Z27, Z25, Z14
	VSHUFI32X4 $0x88, Z30, Z28, Z3
	VSHUFI32X4 $0x88, Z31, Z29, Z7
	VSHUFI32X4 $0xdd, Z30, Z28, Z11
	VSHUFI32X4 $0xdd, Z31, Z29, Z15

	VMOVUPS (R8), Z18
	MOVQ    DI, R9
	MOVQ    q+16(FP), R10
	MOVQ    qscale+24(FP), R11
	MOVQ    corr+32(FP), R12
	MOVQ    heads+56(FP), BX

head:
	VPBROADCASTD  (R12), Z16
	VPXORD        Z17, Z17, Z17
	VPDPBUSD.BCST 0(R10), Z0, Z16
	VPDPBUSD.BCST 4(R10), Z1, Z17
	VPDPBUSD.BCST 8(R10), Z2, Z16
	VPDPBUSD.BCST 12(R10), Z3, Z17
	VPDPBUSD.BCST 16(R10), Z4, Z16
	VPDPBUSD.BCST 20(R10), Z5, Z17
	VPDPBUSD.BCST 24(R10), Z6, Z16
	VPDPBUSD.BCST 28(R10), Z7, Z17
	VPDPBUSD.BCST 32(R10), Z8, Z16
	VPDPBUSD.BCST 36(R10), Z9, Z17
	VPDPBUSD.BCST 40(R10), Z10, Z16
	VPDPBUSD.BCST 44(R10), Z11, Z17
	VPDPBUSD.BCST 48(R10), Z12, Z16
	VPDPBUSD.BCST 52(R10), Z13, Z17
	VPDPBUSD.BCST 56(R10), Z14, Z16
	VPDPBUSD.BCST 60(R10), Z15, Z17
	VPADDD        Z17, Z16, Z16
	VCVTDQ2PS     Z16, Z16
	VMULPS        Z18, Z16, Z16
	VMULPS.BCST   (R11), Z16, Z16
	VMOVUPS       Z16, (R9)
	ADDQ          DX, R9
	ADDQ          $64, R10
	ADDQ          $4, R11
	ADDQ          $4, R12
	DECQ          BX
	JNE           head

	ADDQ $1024, SI
	ADDQ $64, R8
	ADDQ $64, DI
	JMP  block

done:
	VZEROUPPER
	RET

// KEY leaves in y eight partial sums of the key at off(SI) times the query,
// widened to 16 bits in Y12…Y15: products of bytes would saturate.
#define KEY(off, y) \
	VPMOVZXBW off(SI), Y8;     \
	VPMOVZXBW off+16(SI), Y9;  \
	VPMOVZXBW off+32(SI), Y10; \
	VPMOVZXBW off+48(SI), Y11; \
	VPMADDWD  Y12, Y8, Y8;     \
	VPMADDWD  Y13, Y9, Y9;     \
	VPMADDWD  Y14, Y10, Y10;   \
	VPMADDWD  Y15, Y11, Y11;   \
	VPADDD    Y9, Y8, Y8;      \
	VPADDD    Y11, Y10, Y10;   \
	VPADDD Y10, Y8, y

// func scan64AVX2(dst *float32, ld int, q *int8, qscale *float32, corr *int32, k *byte, kscale *float32, heads, blocks int)
//
// Eight keys at a time, their partial sums added up pairwise.
TEXT ·scan64AVX2(SB), NOSPLIT, $0-72
	MOVQ dst+0(FP), DI
	MOVQ ld+8(FP), DX
	MOVQ k+40(FP), SI
	MOVQ kscale+48(FP), R8
	MOVQ blocks+64(FP), CX
	SHLQ $2, DX

block:
	DECQ CX
	JL   done
	MOVQ DI, R9
	MOVQ q+16(FP), R10
	MOVQ qscale+24(FP), R11
	MOVQ corr+32(FP), R12
	MOVQ heads+56(FP), BX

head:
	VPMOVSXBW (R10), Y12
	VPMOVSXBW 16(R10), Y13
	VPMOVSXBW 32(R10), Y14
	VPMOVSXBW 48(R10), Y15
	KEY(0, Y0)
	KEY(64, Y1)
	KEY(128, Y2)
	KEY(192, Y3)
	KEY(256, Y4)
	KEY(320, Y5)
	KEY(384, Y6)
	KEY(448, Y7)
	VPHADDD      Y1, Y0, Y0
	VPHADDD      Y3, Y2, Y2
	VPHADDD      Y5, Y4, Y4
	VPHADDD      Y7, Y6, Y6
	VPHADDD      Y2, Y0, Y0
	VPHADDD      Y6, Y4, Y4
	VPERM2I128   $0x20, Y4, Y0, Y1
	VPERM2I128   $0x31, Y4, Y0, Y2
	VPADDD       Y2, Y1, Y0
	VPBROADCASTD (R12), Y1
	VPADDD       Y1, Y0, Y0
	VCVTDQ2PS    Y0, Y0
	VBROADCASTSS (R11), Y1
	VMULPS       (R8), Y0, Y0
	VMULPS       Y1, Y0, Y0
	VMOVUPS      Y0, (R9)
	ADDQ         DX, R9
	ADDQ         $64, R10
	ADDQ         $4, R11
	ADDQ         $4, R12
	DECQ         BX
	JNE          head

	ADDQ $512, SI
	ADDQ $32, R8
	ADDQ $32, DI
	JMP  block

done:
	VZEROUPPER
	RET

// func selectAVX512(idx []int32, x []float32, min float32) int
//
// VPCOMPRESSD goes to a register: to memory it is microcode on some processors.
TEXT ·selectAVX512(SB), NOSPLIT, $0-64
	MOVQ         idx_base+0(FP), DI
	MOVQ         idx_len+8(FP), R8
	MOVQ         x_base+24(FP), SI
	MOVQ         x_len+32(FP), CX
	VBROADCASTSS min+48(FP), Z5
	VMOVDQU32    ·iota16(SB), Z6
	XORL         R9, R9
	LANES16
	EACH16
	VMOVUPS.Z (SI)(AX*4), K1, Z0
	VCMPPS    $0x1d, Z5, Z0, K1, K2
	KMOVW     K2, R10
	TESTL     R10, R10
	JNE       found

resume:
	END16

found:
	VPBROADCASTD AX, Z1
	VPADDD       Z6, Z1, Z1
	VPCOMPRESSD  Z1, K2, Z1
	POPCNTL      R10, R10
	MOVQ         R8, R11
	SUBQ         R9, R11                // room left
	CMPQ         R10, R11
	CMOVQGT      R11, R10
	BZHIQ        R10, DX, R11
	KMOVW        R11, K3
	VMOVDQU32    Z1, K3, (DI)(R9*4)
	ADDQ         R10, R9
	CMPQ         R9, R8
	JLT          resume

done:
	VZEROUPPER
	MOVQ R9, ret+56(FP)
	RET

// func aboveAVX512(x []float32, least float32) int
TEXT ·aboveAVX512(SB), NOSPLIT, $0-40
	MOVQ         x_base+0(FP), SI
	MOVQ         x_len+8(FP), CX
	VBROADCASTSS least+24(FP), Z5
	LANES16
	EACH16
	VMOVUPS.Z (SI)(AX*4), K1, Z0
	VCMPPS    $0x1e, Z5, Z0, K1, K2
	KMOVW     K2, R10
	TESTL     R10, R10
	JNE       found
	END16

found:
	TZCNTL R10, R10
	ADDQ   R10, AX
	VZEROUPPER
	MOVQ   AX, ret+32(FP)
	RET

done:
	VZEROUPPER
	MOVQ x_len+8(FP), AX
	MOVQ AX, ret+32(FP)
	RET
