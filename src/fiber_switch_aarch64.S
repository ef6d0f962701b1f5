/* SPDX-License-Identifier: MIT */
/*
 * fiber_switch_aarch64.S: the switch for the AAPCS64 ABI.
 *
 * Saved, from low to high: x19..x28, x29 (frame pointer), x30 (return address), d8..d15 (the low
 * halves of v8..v15), FPCR. The landing pads are no-ops where BTI is off; the return address is
 * signed and checked where pointer authentication is on, with the stack pointer as the modifier.
 */
#if defined(__aarch64__)

#ifdef __APPLE__
#define SYM(name) _##name
#define PRIVATE(name) .private_extern SYM(name)
#define FUNCTION(name)
#define END(name)
#else
#define SYM(name) name
#define PRIVATE(name) .hidden SYM(name)
#define FUNCTION(name) .type SYM(name), %function
#define END(name) .size SYM(name), . - SYM(name)
#endif

/* In the hint space, so that old assemblers and processors take them. */
#define BTI_C   hint #34
#define PACIASP hint #25
#define AUTIASP hint #29

    .text

/* void tmlrt__fiber_switch(void **from [x0], void *to [x1]) */
    .globl SYM(tmlrt__fiber_switch)
    PRIVATE(tmlrt__fiber_switch)
    FUNCTION(tmlrt__fiber_switch)
    .p2align 4
SYM(tmlrt__fiber_switch):
    .cfi_startproc
    PACIASP
    sub     sp, sp, #176
    .cfi_def_cfa_offset 176
    stp     x19, x20, [sp, #0]
    stp     x21, x22, [sp, #16]
    stp     x23, x24, [sp, #32]
    stp     x25, x26, [sp, #48]
    stp     x27, x28, [sp, #64]
    stp     x29, x30, [sp, #80]
    .cfi_offset x29, -96
    .cfi_offset x30, -88
    stp     d8, d9, [sp, #96]
    stp     d10, d11, [sp, #112]
    stp     d12, d13, [sp, #128]
    stp     d14, d15, [sp, #144]
    mrs     x9, fpcr
    str     x9, [sp, #160]

    mov     x9, sp
    str     x9, [x0]
    mov     sp, x1

    ldr     x9, [sp, #160]
    msr     fpcr, x9
    ldp     d14, d15, [sp, #144]
    ldp     d12, d13, [sp, #128]
    ldp     d10, d11, [sp, #112]
    ldp     d8, d9, [sp, #96]
    ldp     x29, x30, [sp, #80]
    ldp     x27, x28, [sp, #64]
    ldp     x25, x26, [sp, #48]
    ldp     x23, x24, [sp, #32]
    ldp     x21, x22, [sp, #16]
    ldp     x19, x20, [sp, #0]
    add     sp, sp, #176
    .cfi_def_cfa_offset 0
    .cfi_restore x29
    .cfi_restore x30
    cbz     x30, 1f
    AUTIASP
    ret
1:  /* A fresh context has no return address: x19 is the entry, x20 its argument. */
    mov     x29, xzr
    mov     x0, x20
    blr     x19
    brk     #1
    .cfi_endproc
    END(tmlrt__fiber_switch)

#endif

#ifdef __ELF__
    .section .note.GNU-stack, "", %progbits
#endif
