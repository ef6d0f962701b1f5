; SPDX-License-Identifier: MIT
;
; fiber_switch_win64.asm: fiber_switch_win64.S for the assembler of MSVC (ml64), instruction by
; instruction; what is saved and what is not stands there. cmake/check_clangcl.sh compares the two.

TIB_BASE       EQU 08h
TIB_LIMIT      EQU 10h
TIB_ALLOCATION EQU 1478h
TIB_GUARANTEED EQU 1748h

VECTORS EQU 0
CONTROL EQU 160
BASE    EQU 168
LIMIT   EQU 176
ALLOC   EQU 184
KEPT    EQU 192
SAVED   EQU 200

.code

; void tmlrt__fiber_switch(void **from [rcx], void *to [rdx])
tmlrt__fiber_switch PROC FRAME
    push    rbp
    .pushreg rbp
    push    rbx
    .pushreg rbx
    push    rsi
    .pushreg rsi
    push    rdi
    .pushreg rdi
    push    r12
    .pushreg r12
    push    r13
    .pushreg r13
    push    r14
    .pushreg r14
    push    r15
    .pushreg r15
    sub     rsp, SAVED
    .allocstack SAVED
    movaps  XMMWORD PTR [rsp + VECTORS + 0], xmm6
    .savexmm128 xmm6, 0
    movaps  XMMWORD PTR [rsp + VECTORS + 16], xmm7
    .savexmm128 xmm7, 16
    movaps  XMMWORD PTR [rsp + VECTORS + 32], xmm8
    .savexmm128 xmm8, 32
    movaps  XMMWORD PTR [rsp + VECTORS + 48], xmm9
    .savexmm128 xmm9, 48
    movaps  XMMWORD PTR [rsp + VECTORS + 64], xmm10
    .savexmm128 xmm10, 64
    movaps  XMMWORD PTR [rsp + VECTORS + 80], xmm11
    .savexmm128 xmm11, 80
    movaps  XMMWORD PTR [rsp + VECTORS + 96], xmm12
    .savexmm128 xmm12, 96
    movaps  XMMWORD PTR [rsp + VECTORS + 112], xmm13
    .savexmm128 xmm13, 112
    movaps  XMMWORD PTR [rsp + VECTORS + 128], xmm14
    .savexmm128 xmm14, 128
    movaps  XMMWORD PTR [rsp + VECTORS + 144], xmm15
    .savexmm128 xmm15, 144
    .endprolog
    stmxcsr DWORD PTR [rsp + CONTROL]
    fnstcw  WORD PTR [rsp + CONTROL + 4]
    mov     rax, QWORD PTR gs:[TIB_BASE]
    mov     QWORD PTR [rsp + BASE], rax
    mov     rax, QWORD PTR gs:[TIB_LIMIT]
    mov     QWORD PTR [rsp + LIMIT], rax
    mov     rax, QWORD PTR gs:[TIB_ALLOCATION]
    mov     QWORD PTR [rsp + ALLOC], rax
    mov     eax, DWORD PTR gs:[TIB_GUARANTEED]
    mov     QWORD PTR [rsp + KEPT], rax

    mov     QWORD PTR [rcx], rsp
    mov     rsp, rdx

    mov     rax, QWORD PTR [rsp + BASE]
    mov     QWORD PTR gs:[TIB_BASE], rax
    mov     rax, QWORD PTR [rsp + LIMIT]
    mov     QWORD PTR gs:[TIB_LIMIT], rax
    mov     rax, QWORD PTR [rsp + ALLOC]
    mov     QWORD PTR gs:[TIB_ALLOCATION], rax
    mov     eax, DWORD PTR [rsp + KEPT]
    mov     DWORD PTR gs:[TIB_GUARANTEED], eax
    ldmxcsr DWORD PTR [rsp + CONTROL]
    fldcw   WORD PTR [rsp + CONTROL + 4]
    movaps  xmm6, XMMWORD PTR [rsp + VECTORS + 0]
    movaps  xmm7, XMMWORD PTR [rsp + VECTORS + 16]
    movaps  xmm8, XMMWORD PTR [rsp + VECTORS + 32]
    movaps  xmm9, XMMWORD PTR [rsp + VECTORS + 48]
    movaps  xmm10, XMMWORD PTR [rsp + VECTORS + 64]
    movaps  xmm11, XMMWORD PTR [rsp + VECTORS + 80]
    movaps  xmm12, XMMWORD PTR [rsp + VECTORS + 96]
    movaps  xmm13, XMMWORD PTR [rsp + VECTORS + 112]
    movaps  xmm14, XMMWORD PTR [rsp + VECTORS + 128]
    movaps  xmm15, XMMWORD PTR [rsp + VECTORS + 144]
    add     rsp, SAVED
    pop     r15
    pop     r14
    pop     r13
    pop     r12
    pop     rdi
    pop     rsi
    pop     rbx
    pop     rbp
    ret
tmlrt__fiber_switch ENDP

; Where a fresh context begins: r12 is the entry, r13 its argument.
tmlrt__fiber_start PROC FRAME
    sub     rsp, 48
    .allocstack 48
    .endprolog
    xor     ebp, ebp
    mov     rcx, r13
    call    r12
    ud2
tmlrt__fiber_start ENDP

END
