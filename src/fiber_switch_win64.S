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

#define VECTOR(n) (16 * (n) - 96) /* of xmm6 to xmm15 */
#define CONTROL 160
#define BASE    168
#define LIMIT   176
#define ALLOC   184
#define KEPT    192
#define SAVED   200 /* keeps xmm aligned: 8 registers, the return address and this are 16 times 17 */

    .text

/* Between the thread's information block and the frame. */
    .macro save_word from, to
    movq    %gs:\from, %rax
    movq    %rax, \to(%rsp)
    .endm

    .macro load_word to, from
    movq    \from(%rsp), %rax
    movq    %rax, %gs:\to
    .endm

/* void tmlrt__fiber_switch(void **from [rcx], void *to [rdx]) */
    .globl tmlrt__fiber_switch
    .def tmlrt__fiber_switch; .scl 2; .type 32; .endef
    .p2align 4
    .seh_proc tmlrt__fiber_switch
tmlrt__fiber_switch:
    .irp reg, rbp, rbx, rsi, rdi, r12, r13, r14, r15
    pushq   %\reg
    .seh_pushreg %\reg
    .endr
    subq    $SAVED, %rsp
    .seh_stackalloc SAVED
    .irp n, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    movaps  %xmm\n, VECTOR(\n)(%rsp)
    .seh_savexmm %xmm\n, VECTOR(\n)
    .endr
    .seh_endprologue
    stmxcsr CONTROL(%rsp)
    fnstcw  CONTROL+4(%rsp)
    save_word TIB_BASE, BASE
    save_word TIB_LIMIT, LIMIT
    save_word TIB_ALLOCATION, ALLOC
    movl    %gs:TIB_GUARANTEED, %eax
    movq    %rax, KEPT(%rsp)

    movq    %rsp, (%rcx)
    movq    %rdx, %rsp

    load_word TIB_BASE, BASE
    load_word TIB_LIMIT, LIMIT
    load_word TIB_ALLOCATION, ALLOC
    movl    KEPT(%rsp), %eax
    movl    %eax, %gs:TIB_GUARANTEED
    ldmxcsr CONTROL(%rsp)
    fldcw   CONTROL+4(%rsp)
    .irp n, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    movaps  VECTOR(\n)(%rsp), %xmm\n
    .endr
    addq    $SAVED, %rsp
    .irp reg, r15, r14, r13, r12, rdi, rsi, rbx, rbp
    popq    %\reg
    .endr
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
