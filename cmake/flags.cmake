# SPDX-License-Identifier: MIT
#
# Warnings, code generation and sanitizers, as interface targets: tmlrt_warnings
# is for all code here, tmlrt_codegen for what sees the library's internals.
add_library(tmlrt_warnings INTERFACE)
target_compile_options(tmlrt_warnings INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wundef -Wvla)
if(TMLRT_WERROR)
    target_compile_options(tmlrt_warnings INTERFACE -Werror)
endif()

# Opaque objects that the caller places are seen through internal types.
add_library(tmlrt_codegen INTERFACE)
target_compile_options(tmlrt_codegen INTERFACE -fno-strict-aliasing)
target_compile_definitions(tmlrt_codegen INTERFACE ${tmlrt_platform_definitions})

if(TMLRT_SANITIZE)
    add_compile_options(-fsanitize=${TMLRT_SANITIZE} -fno-omit-frame-pointer -g)
    add_link_options(-fsanitize=${TMLRT_SANITIZE})
    if(TMLRT_SANITIZE MATCHES "undefined")
        add_compile_options(-fno-sanitize-recover=undefined)
    endif()
endif()
