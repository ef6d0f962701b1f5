/* SPDX-License-Identifier: MIT */
/*
 * process.h: what both programs need from the process: its arguments, its limit of open
 * descriptors, and a message at the end. `program` is the name that messages begin with.
 */
#ifndef PROCESS_H
#define PROCESS_H

#include <stdint.h>

/* Sets the name. First call in main. */
void process_name(const char *program);

/* Prints "program: format" to standard error and exits with 2. */
#if defined(__GNUC__)
__attribute__((noreturn, format(printf, 1, 2)))
#endif
void process_die(const char *format, ...);

/* Dies with what the negative TMLRT_E* `result` means; otherwise does nothing. */
void process_check(int64_t result, const char *what);

/* The value of option `name`: text must be a number from `least` to `most`, or the program dies. */
int64_t process_number(const char *name, const char *text, int64_t least, int64_t most);

/* Raises the limit of open descriptors as far as it goes and returns it. */
int64_t process_raise_descriptors(void);

#endif
