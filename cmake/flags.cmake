# SPDX-License-Identifier: MIT
#
# Warnings, code generation and sanitizers, as interface targets: tmlrt_warnings
# is for all code here, tmlrt_codegen for what sees the library's internals.
add_library(tmlrt_warnings INTERFACE)
if(MSVC)
    target_compile_options(tmlrt_warnings INTERFACE $<$<COMPILE_LANGUAGE:C>:/W4>)
else()
    target_compile_options(tmlrt_warnings INTERFACE
        -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wundef -Wvla)
endif()
if(TMLRT_WERROR)
    target_compile_options(tmlrt_warnings INTERFACE
        $<$<COMPILE_LANGUAGE:C>:$<IF:$<BOOL:${MSVC}>,/WX,-Werror>>)
endif()

# Opaque objects that the caller places are seen through internal types.
add_library(tmlrt_codegen INTERFACE)
if(MSVC)
    # cl and clang-cl assume nothing of types' aliasing. cl has C11's atomics behind a switch.
    target_compile_options(tmlrt_codegen INTERFACE $<$<COMPILE_LANGUAGE:C>:/std:c11>)
    if(CMAKE_C_COMPILER_ID STREQUAL "MSVC")
        target_compile_options(tmlrt_codegen INTERFACE
            $<$<COMPILE_LANGUAGE:C>:/experimental:c11atomics>)
    endif()
    target_compile_definitions(tmlrt_codegen INTERFACE _CRT_SECURE_NO_WARNINGS)
else()
    target_compile_options(tmlrt_codegen INTERFACE -fno-strict-aliasing)
endif()
target_compile_definitions(tmlrt_codegen INTERFACE ${tmlrt_platform_definitions})

# AArch64: landing pads and signed return addresses, no-ops on processors without them. One object
# without the mark takes it from the whole library, so all have it.
include(CheckCCompilerFlag)
if(CMAKE_SYSTEM_NAME STREQUAL "Linux" AND CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
    check_c_compiler_flag(-mbranch-protection=standard tmlrt_has_branch_protection)
    if(tmlrt_has_branch_protection)
        target_compile_options(tmlrt_codegen INTERFACE -mbranch-protection=standard)
    endif()
endif()

if(TMLRT_SANITIZE)
    add_compile_options(-fsanitize=${TMLRT_SANITIZE} -fno-omit-frame-pointer -g)
    add_link_options(-fsanitize=${TMLRT_SANITIZE})
    if(TMLRT_SANITIZE MATCHES "undefined")
        add_compile_options(-fno-sanitize-recover=undefined)
    endif()
endif()
