/* SPDX-License-Identifier: MIT */
/*
 * fiber_switch_win64.S: the switch for Windows x86-64.
 *
 * Saved, from low to high: xmm6 to xmm15; MXCSR and the x87 control word; of the thread's
 * information block the stack's bounds, without which exceptions are not dispatched and a stack does
 * not grow: base, limit, where its reserved pages begin, and the bytes kept back for an overflow;
 * r15, r14, r13, r12, rdi, rsi, rbx, rbp, the return address. Everything else is the caller's to
 * save or undefined across calls. The limit moves while a stack grows, so it is read anew each time.
 *
 * Not handled: shadow stacks (CET), on which a return to another stack is a fault: a program that is
 * linked with /CETCOMPAT cannot have these fibers. The word of the system's own fibers (0x20, FiberData)
 * and their local storage stay the thread's: they are no fibers of the system.
 */
#if defined(__x86_64__) && defined(_WIN32)

#define TIB_BASE       0x08
#define TIB_LIMIT      0x10
#define TIB_ALLOCATION 0x1478
#define TIB_GUARANTEED 0x1748

#define VECTORS 0
#define CONTROL 160
#define BASE    168
#define LIMIT   176
#define ALLOC   184
#define KEPT    192
#define SAVED   200 /* keeps xmm aligned: 8 registers, the return address and this are 16 times 17 */

    .text

/* void tmlrt__fiber_switch(void **from [rcx], void *to [rdx]) */
    .globl tmlrt__fiber_switch
    .def tmlrt__fiber_switch; .scl 2; .type 32; .endef
    .p2align 4
    .seh_proc tmlrt__fiber_switch
tmlrt__fiber_switch:
    pushq   %rbp
    .seh_pushreg %rbp
    pushq   %rbx
    .seh_pushreg %rbx
    pushq   %rsi
    .seh_pushreg %rsi
    pushq   %rdi
    .seh_pushreg %rdi
    pushq   %r12
    .seh_pushreg %r12
    pushq   %r13
    .seh_pushreg %r13
    pushq   %r14
    .seh_pushreg %r14
    pushq   %r15
    .seh_pushreg %r15
    subq    $SAVED, %rsp
    .seh_stackalloc SAVED
    movaps  %xmm6, VECTORS(%rsp)
    .seh_savexmm %xmm6, 0
    movaps  %xmm7, VECTORS+16(%rsp)
    .seh_savexmm %xmm7, 16
    movaps  %xmm8, VECTORS+32(%rsp)
    .seh_savexmm %xmm8, 32
    movaps  %xmm9, VECTORS+48(%rsp)
    .seh_savexmm %xmm9, 48
    movaps  %xmm10, VECTORS+64(%rsp)
    .seh_savexmm %xmm10, 64
    movaps  %xmm11, VECTORS+80(%rsp)
    .seh_savexmm %xmm11, 80
    movaps  %xmm12, VECTORS+96(%rsp)
    .seh_savexmm %xmm12, 96
    movaps  %xmm13, VECTORS+112(%rsp)
    .seh_savexmm %xmm13, 112
    movaps  %xmm14, VECTORS+128(%rsp)
    .seh_savexmm %xmm14, 128
    movaps  %xmm15, VECTORS+144(%rsp)
    .seh_savexmm %xmm15, 144
    .seh_endprologue
    stmxcsr CONTROL(%rsp)
    fnstcw  CONTROL+4(%rsp)
    movq    %gs:TIB_BASE, %rax
    movq    %rax, BASE(%rsp)
    movq    %gs:TIB_LIMIT, %rax
    movq    %rax, LIMIT(%rsp)
    movq    %gs:TIB_ALLOCATION, %rax
    movq    %rax, ALLOC(%rsp)
    movl    %gs:TIB_GUARANTEED, %eax
    movq    %rax, KEPT(%rsp)

    movq    %rsp, (%rcx)
    movq    %rdx, %rsp

    movq    BASE(%rsp), %rax
    movq    %rax, %gs:TIB_BASE
    movq    LIMIT(%rsp), %rax
    movq    %rax, %gs:TIB_LIMIT
    movq    ALLOC(%rsp), %rax
    movq    %rax, %gs:TIB_ALLOCATION
    movl    KEPT(%rsp), %eax
    movl    %eax, %gs:TIB_GUARANTEED
    ldmxcsr CONTROL(%rsp)
    fldcw   CONTROL+4(%rsp)
    movaps  VECTORS(%rsp), %xmm6
    movaps  VECTORS+16(%rsp), %xmm7
    movaps  VECTORS+32(%rsp), %xmm8
    movaps  VECTORS+48(%rsp), %xmm9
    movaps  VECTORS+64(%rsp), %xmm10
    movaps  VECTORS+80(%rsp), %xmm11
    movaps  VECTORS+96(%rsp), %xmm12
    movaps  VECTORS+112(%rsp), %xmm13
    movaps  VECTORS+128(%rsp), %xmm14
    movaps  VECTORS+144(%rsp), %xmm15
    addq    $SAVED, %rsp
    popq    %r15
    popq    %r14
    popq    %r13
    popq    %r12
    popq    %rdi
    popq    %rsi
    popq    %rbx
    popq    %rbp
    ret
    .seh_endproc

/* Where a fresh context begins: r12 is the entry, r13 its argument; above rsp lie the return address
 * 0, at which unwinding stops, and room for the callee. */
    .globl tmlrt__fiber_start
    .def tmlrt__fiber_start; .scl 2; .type 32; .endef
    .p2align 4
    .seh_proc tmlrt__fiber_start
tmlrt__fiber_start:
    subq    $48, %rsp
    .seh_stackalloc 48
    .seh_endprologue
    xorl    %ebp, %ebp
    movq    %r13, %rcx
    callq   *%r12
    ud2
    .seh_endproc

#endif

#ifdef __ELF__
    .section .note.GNU-stack, "", %progbits
#endif
