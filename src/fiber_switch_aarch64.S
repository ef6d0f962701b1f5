/* SPDX-License-Identifier: MIT */
/*
 * fiber_switch_aarch64.S: the switch for the AAPCS64 ABI.
 *
 * Saved, from low to high: x19..x28, x29 (frame pointer), x30 (return address), d8..d15 (the low
 * halves of v8..v15), FPCR. x18 is the platform's on some systems and is never touched.
 *
 * The landing pads and the signing are hints, no-ops where BTI and PAC are off. The return address is
 * signed on entry and checked before the return, with the stack pointer at entry as the modifier;
 * the signature stands on the suspended stack. The note at the end says to the linker that both hold
 * here, so that it may ask the kernel for them.
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
#define PACIASP hint #25 /* a landing pad for calls as well */
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
    .cfi_negate_ra_state
    sub     sp, sp, #176
    .cfi_def_cfa_offset 176
    stp     x19, x20, [sp, #0]
    .cfi_offset x19, -176
    .cfi_offset x20, -168
    stp     x21, x22, [sp, #16]
    .cfi_offset x21, -160
    .cfi_offset x22, -152
    stp     x23, x24, [sp, #32]
    .cfi_offset x23, -144
    .cfi_offset x24, -136
    stp     x25, x26, [sp, #48]
    .cfi_offset x25, -128
    .cfi_offset x26, -120
    stp     x27, x28, [sp, #64]
    .cfi_offset x27, -112
    .cfi_offset x28, -104
    stp     x29, x30, [sp, #80]
    .cfi_offset x29, -96
    .cfi_offset x30, -88
    stp     d8, d9, [sp, #96]
    .cfi_offset d8, -80
    .cfi_offset d9, -72
    stp     d10, d11, [sp, #112]
    .cfi_offset d10, -64
    .cfi_offset d11, -56
    stp     d12, d13, [sp, #128]
    .cfi_offset d12, -48
    .cfi_offset d13, -40
    stp     d14, d15, [sp, #144]
    .cfi_offset d14, -32
    .cfi_offset d15, -24
    mrs     x9, fpcr
    str     x9, [sp, #160]

    /* The rules above hold on either stack: they count from sp. */
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
    .cfi_restore x19
    .cfi_restore x20
    .cfi_restore x21
    .cfi_restore x22
    .cfi_restore x23
    .cfi_restore x24
    .cfi_restore x25
    .cfi_restore x26
    .cfi_restore x27
    .cfi_restore x28
    .cfi_restore d8
    .cfi_restore d9
    .cfi_restore d10
    .cfi_restore d11
    .cfi_restore d12
    .cfi_restore d13
    .cfi_restore d14
    .cfi_restore d15
    .cfi_restore x29
    .cfi_restore x30
    cbz     x30, 1f
    AUTIASP
    .cfi_negate_ra_state
    ret
1:  /* A fresh context has no return address: x19 is the entry, x20 its argument. There is no caller:
     * the unwinder is told to stop here. */
    .cfi_undefined x30
    .cfi_undefined x29
    mov     x29, xzr
    mov     x0, x20
    blr     x19
    brk     #1
    .cfi_endproc
    END(tmlrt__fiber_switch)

#endif

#ifdef __ELF__
#if defined(__aarch64__)
    /* NT_GNU_PROPERTY_TYPE_0: GNU_PROPERTY_AARCH64_FEATURE_1_AND is BTI (1) and PAC (2). */
    .section .note.gnu.property, "a", %note
    .p2align 3
    .word   4, 16, 5
    .asciz  "GNU"
    .word   0xc0000000, 4, 3, 0
#endif
    .section .note.GNU-stack, "", %progbits
#endif
