/* SPDX-License-Identifier: MIT */
/*
 * fiber_switch_x86_64.S: the switch for the System V ABI (Linux, macOS, BSD).
 *
 * Saved, from low to high: MXCSR and the x87 control word (8 bytes), r15, r14, r13, r12, rbx, rbp,
 * the return address. Everything else is the caller's to save or undefined across calls.
 * Shadow stacks (CET) are not switched: the library is not marked for them.
 */
#if defined(__x86_64__) && !defined(_WIN32)

#ifdef __APPLE__
#define SYM(name) _##name
#define PRIVATE(name) .private_extern SYM(name)
#define FUNCTION(name)
#define END(name)
#else
#define SYM(name) name
#define PRIVATE(name) .hidden SYM(name)
#define FUNCTION(name) .type SYM(name), @function
#define END(name) .size SYM(name), . - SYM(name)
#endif

    .text

/* void tmlrt__fiber_switch(void **from [rdi], void *to [rsi]) */
    .globl SYM(tmlrt__fiber_switch)
    PRIVATE(tmlrt__fiber_switch)
    FUNCTION(tmlrt__fiber_switch)
    .p2align 4
SYM(tmlrt__fiber_switch):
    .cfi_startproc
    endbr64
    pushq   %rbp
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbp, 0
    pushq   %rbx
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbx, 0
    pushq   %r12
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r12, 0
    pushq   %r13
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r13, 0
    pushq   %r14
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r14, 0
    pushq   %r15
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r15, 0
    subq    $8, %rsp
    .cfi_adjust_cfa_offset 8
    stmxcsr (%rsp)
    fnstcw  4(%rsp)

    /* The rules above hold on either stack: they count from rsp. */
    movq    %rsp, (%rdi)
    movq    %rsi, %rsp

    ldmxcsr (%rsp)
    fldcw   4(%rsp)
    addq    $8, %rsp
    .cfi_adjust_cfa_offset -8
    popq    %r15
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r15
    popq    %r14
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r14
    popq    %r13
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r13
    popq    %r12
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r12
    popq    %rbx
    .cfi_adjust_cfa_offset -8
    .cfi_restore %rbx
    popq    %rbp
    .cfi_adjust_cfa_offset -8
    .cfi_restore %rbp
    ret
    .cfi_endproc
    END(tmlrt__fiber_switch)

/* Where a fresh context begins: r12 is the entry, r13 its argument, rsp is aligned to 16. There is
 * no caller: the unwinder is told to stop here. */
    .globl SYM(tmlrt__fiber_start)
    PRIVATE(tmlrt__fiber_start)
    FUNCTION(tmlrt__fiber_start)
    .p2align 4
SYM(tmlrt__fiber_start):
    .cfi_startproc
    .cfi_undefined %rip
    .cfi_undefined %rbp
    endbr64
    xorl    %ebp, %ebp
    movq    %r13, %rdi
    callq   *%r12
    ud2
    .cfi_endproc
    END(tmlrt__fiber_start)

#endif

#ifdef __ELF__
    .section .note.GNU-stack, "", %progbits
#endif
