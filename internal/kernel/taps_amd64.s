#include "textflag.h"

// One cell: the sum of five inputs, of which NEW is the next of the row. DI is the
// output, R13 the input, R11 the bytes from cell to cell, DX the cells left.
#define CELL16(A, B, C, D, NEW) \
	VMOVUPS     (R13), NEW     \
	VMOVUPS     (R12), Z10     \
	VFMADD231PS A, Z0, Z10     \
	VFMADD231PS B, Z1, Z10     \
	VFMADD231PS C, Z2, Z10     \
	VFMADD231PS D, Z3, Z10     \
	VFMADD231PS NEW, Z4, Z10   \
	VMOVUPS     Z10, (R12)     \
	ADDQ        R11, R13       \
	ADDQ        R11, R12       \
	DECQ        DX             \
	JZ          next

#define CELL8(A, B, C, D, NEW) \
	VMOVUPS     (R13), NEW     \
	VMOVUPS     (R12), Y10     \
	VFMADD231PS A, Y0, Y10     \
	VFMADD231PS B, Y1, Y10     \
	VFMADD231PS C, Y2, Y10     \
	VFMADD231PS D, Y3, Y10     \
	VFMADD231PS NEW, Y4, Y10   \
	VMOVUPS     Y10, (R12)     \
	ADDQ        R11, R13       \
	ADDQ        R11, R12       \
	DECQ        DX             \
	JZ          next

// ARGS leaves the channels left in CX, the bytes of a cell in R11 and the cells of a
// row in R8.
#define ARGS \
	MOVQ dst_base+0(FP), DI  \
	MOVQ dst_len+8(FP), AX   \
	MOVQ w_base+24(FP), R9   \
	MOVQ x_base+48(FP), SI   \
	MOVQ c+72(FP), CX        \
	XORL DX, DX              \
	DIVQ CX                  \
	MOVQ AX, R8              \
	MOVQ CX, R11             \
	SHLQ $2, R11

// func taps5AVX512(dst, w, x []float32, c int)
TEXT ·taps5AVX512(SB), NOSPLIT, $0-80
	ARGS

channels:
	MOVQ    R9, BX
	VMOVUPS (BX), Z0
	ADDQ    R11, BX
	VMOVUPS (BX), Z1
	ADDQ    R11, BX
	VMOVUPS (BX), Z2
	ADDQ    R11, BX
	VMOVUPS (BX), Z3
	ADDQ    R11, BX
	VMOVUPS (BX), Z4
	MOVQ    SI, R13
	VMOVUPS (R13), Z5
	ADDQ    R11, R13
	VMOVUPS (R13), Z6
	ADDQ    R11, R13
	VMOVUPS (R13), Z7
	ADDQ    R11, R13
	VMOVUPS (R13), Z8
	ADDQ    R11, R13
	MOVQ    DI, R12
	MOVQ    R8, DX

cells:
	CELL16(Z5, Z6, Z7, Z8, Z9)
	CELL16(Z6, Z7, Z8, Z9, Z5)
	CELL16(Z7, Z8, Z9, Z5, Z6)
	CELL16(Z8, Z9, Z5, Z6, Z7)
	CELL16(Z9, Z5, Z6, Z7, Z8)
	JMP cells

next:
	ADDQ $64, DI
	ADDQ $64, SI
	ADDQ $64, R9
	SUBQ $16, CX
	JG   channels
	VZEROUPPER
	RET

// func taps5AVX2(dst, w, x []float32, c int)
TEXT ·taps5AVX2(SB), NOSPLIT, $0-80
	ARGS

channels:
	MOVQ    R9, BX
	VMOVUPS (BX), Y0
	ADDQ    R11, BX
	VMOVUPS (BX), Y1
	ADDQ    R11, BX
	VMOVUPS (BX), Y2
	ADDQ    R11, BX
	VMOVUPS (BX), Y3
	ADDQ    R11, BX
	VMOVUPS (BX), Y4
	MOVQ    SI, R13
	VMOVUPS (R13), Y5
	ADDQ    R11, R13
	VMOVUPS (R13), Y6
	ADDQ    R11, R13
	VMOVUPS (R13), Y7
	ADDQ    R11, R13
	VMOVUPS (R13), Y8
	ADDQ    R11, R13
	MOVQ    DI, R12
	MOVQ    R8, DX

cells:
	CELL8(Y5, Y6, Y7, Y8, Y9)
	CELL8(Y6, Y7, Y8, Y9, Y5)
	CELL8(Y7, Y8, Y9, Y5, Y6)
	CELL8(Y8, Y9, Y5, Y6, Y7)
	CELL8(Y9, Y5, Y6, Y7, Y8)
	JMP cells

next:
	ADDQ $32, DI
	ADDQ $32, SI
	ADDQ $32, R9
	SUBQ $8, CX
	JG   channels
	VZEROUPPER
	RET

// GRAD16 adds one cell's gradient to the five sums; see CELL16.
#define GRAD16(A, B, C, D, NEW) \
	VMOVUPS     (R13), NEW   \
	VMOVUPS     (R12), Z10   \
	VFMADD231PS A, Z10, Z0   \
	VFMADD231PS B, Z10, Z1   \
	VFMADD231PS C, Z10, Z2   \
	VFMADD231PS D, Z10, Z3   \
	VFMADD231PS NEW, Z10, Z4 \
	ADDQ        R11, R13     \
	ADDQ        R11, R12     \
	DECQ        DX           \
	JZ          next

// func tapsGrad5AVX512(dw, dy, x []float32, c int)
TEXT ·tapsGrad5AVX512(SB), NOSPLIT, $0-80
	MOVQ dw_base+0(FP), R9
	MOVQ dy_base+24(FP), DI
	MOVQ dy_len+32(FP), AX
	MOVQ x_base+48(FP), SI
	MOVQ c+72(FP), CX
	XORL DX, DX
	DIVQ CX
	MOVQ AX, R8
	MOVQ CX, R11
	SHLQ $2, R11

channels:
	VPXORD Z0, Z0, Z0
	VPXORD Z1, Z1, Z1
	VPXORD Z2, Z2, Z2
	VPXORD Z3, Z3, Z3
	VPXORD Z4, Z4, Z4
	MOVQ    SI, R13
	VMOVUPS (R13), Z5
	ADDQ    R11, R13
	VMOVUPS (R13), Z6
	ADDQ    R11, R13
	VMOVUPS (R13), Z7
	ADDQ    R11, R13
	VMOVUPS (R13), Z8
	ADDQ    R11, R13
	MOVQ    DI, R12
	MOVQ    R8, DX

cells:
	GRAD16(Z5, Z6, Z7, Z8, Z9)
	GRAD16(Z6, Z7, Z8, Z9, Z5)
	GRAD16(Z7, Z8, Z9, Z5, Z6)
	GRAD16(Z8, Z9, Z5, Z6, Z7)
	GRAD16(Z9, Z5, Z6, Z7, Z8)
	JMP cells

next:
	MOVQ R9, BX
	VADDPS  (BX), Z0, Z0
	VMOVUPS Z0, (BX)
	ADDQ    R11, BX
	VADDPS  (BX), Z1, Z1
	VMOVUPS Z1, (BX)
	ADDQ    R11, BX
	VADDPS  (BX), Z2, Z2
	VMOVUPS Z2, (BX)
	ADDQ    R11, BX
	VADDPS  (BX), Z3, Z3
	VMOVUPS Z3, (BX)
	ADDQ    R11, BX
	VADDPS  (BX), Z4, Z4
	VMOVUPS Z4, (BX)
	ADDQ    $64, DI
	ADDQ    $64, SI
	ADDQ    $64, R9
	SUBQ    $16, CX
	JG      channels
	VZEROUPPER
	RET

// GRAD8 adds one cell's gradient to the five sums; see CELL8.
#define GRAD8(A, B, C, D, NEW) \
	VMOVUPS     (R13), NEW   \
	VMOVUPS     (R12), Y10   \
	VFMADD231PS A, Y10, Y0   \
	VFMADD231PS B, Y10, Y1   \
	VFMADD231PS C, Y10, Y2   \
	VFMADD231PS D, Y10, Y3   \
	VFMADD231PS NEW, Y10, Y4 \
	ADDQ        R11, R13     \
	ADDQ        R11, R12     \
	DECQ        DX           \
	JZ          next

// func tapsGrad5AVX2(dw, dy, x []float32, c int)
TEXT ·tapsGrad5AVX2(SB), NOSPLIT, $0-80
	MOVQ dw_base+0(FP), R9
	MOVQ dy_base+24(FP), DI
	MOVQ dy_len+32(FP), AX
	MOVQ x_base+48(FP), SI
	MOVQ c+72(FP), CX
	XORL DX, DX
	DIVQ CX
	MOVQ AX, R8
	MOVQ CX, R11
	SHLQ $2, R11

channels:
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	VXORPS Y4, Y4, Y4
	MOVQ    SI, R13
	VMOVUPS (R13), Y5
	ADDQ    R11, R13
	VMOVUPS (R13), Y6
	ADDQ    R11, R13
	VMOVUPS (R13), Y7
	ADDQ    R11, R13
	VMOVUPS (R13), Y8
	ADDQ    R11, R13
	MOVQ    DI, R12
	MOVQ    R8, DX

cells:
	GRAD8(Y5, Y6, Y7, Y8, Y9)
	GRAD8(Y6, Y7, Y8, Y9, Y5)
	GRAD8(Y7, Y8, Y9, Y5, Y6)
	GRAD8(Y8, Y9, Y5, Y6, Y7)
	GRAD8(Y9, Y5, Y6, Y7, Y8)
	JMP cells

next:
	MOVQ R9, BX
	VADDPS  (BX), Y0, Y0
	VMOVUPS Y0, (BX)
	ADDQ    R11, BX
	VADDPS  (BX), Y1, Y1
	VMOVUPS Y1, (BX)
	ADDQ    R11, BX
	VADDPS  (BX), Y2, Y2
	VMOVUPS Y2, (BX)
	ADDQ    R11, BX
	VADDPS  (BX), Y3, Y3
	VMOVUPS Y3, (BX)
	ADDQ    R11, BX
	VADDPS  (BX), Y4, Y4
	VMOVUPS Y4, (BX)
	ADDQ    $32, DI
	ADDQ    $32, SI
	ADDQ    $32, R9
	SUBQ    $8, CX
	JG      channels
	VZEROUPPER
	RET
