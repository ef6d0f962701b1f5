/* SPDX-License-Identifier: MIT
 *
 * A program outside the library's tree: built by cmake/check_consumer.sh as C11
 * and as C++17, against the installed shared and static library. */
#include <tmlrt.h>

#include <stdio.h>

int main(void) {
    unsigned long version = (unsigned long)tmlrt_version();

    printf("tmlrt 0x%08lx\n", version);
    return version == 0;
}
