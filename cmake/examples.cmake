# SPDX-License-Identifier: MIT
#
# Each examples/<name>.c is a program that sees what a user sees: include/ and
# the shared library, compiled as a plain `cc` would. Where tests/run_example.sh
# is, it runs each as the test example_<name>.
file(GLOB example_runner CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/run_example.sh")
file(GLOB example_http CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/examples/http/CMakeLists.txt")
file(GLOB example_files CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/examples/*.c")

# What an example needs beside the library; without it the example is left out, and said so.
find_package(PkgConfig QUIET)
if(PkgConfig_FOUND)
    pkg_check_modules(LIBPQ IMPORTED_TARGET QUIET libpq)
endif()
set(example_needs_libpq_readiness PkgConfig::LIBPQ)

foreach(file ${example_files})
    get_filename_component(name "${file}" NAME_WE)
    set(target example_${name})
    if(example_needs_${name} AND NOT TARGET ${example_needs_${name}})
        message(STATUS "tmlrt: examples/${name}.c is left out: ${example_needs_${name}} not found")
        continue()
    endif()
    add_executable(${target} "${file}")
    set_target_properties(${target} PROPERTIES
        C_STANDARD 11 C_STANDARD_REQUIRED ON C_EXTENSIONS ON OUTPUT_NAME ${name}
        RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/examples")
    target_link_libraries(${target} PRIVATE tmlrt_warnings tmlrt::tmlrt Threads::Threads
        ${example_needs_${name}})
    if(TMLRT_BUILD_TESTS AND example_runner)
        add_test(NAME ${target} COMMAND bash "${example_runner}" $<TARGET_FILE:${target}>)
        tmlrt_test_properties(${target} example)
    endif()
endforeach()

if(example_http)
    add_subdirectory(examples/http)
endif()

# The programs in LLVM IR, against an installed library.
if(TMLRT_BUILD_TESTS AND TMLRT_INSTALL AND NOT WIN32 AND NOT TMLRT_TEST_LAUNCHER)
    add_test(NAME example_tml COMMAND bash "${PROJECT_SOURCE_DIR}/tests/run_ir.sh"
        "${CMAKE_BINARY_DIR}" "${TMLRT_SANITIZE}")
    tmlrt_test_properties(example_tml example)
endif()
