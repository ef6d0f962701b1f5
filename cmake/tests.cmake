# SPDX-License-Identifier: MIT
#
# Each tests/<kind>_<subject>.c is a program and a test of that name.
#   api_                                 sees include/ and the shared library
#   test_ conformance_ stress_ regress_  see src/ and the library's test build,
#                                        which has fault points and backends of
#                                        its own
# tests/support/*.c goes into all of them, but internal_*.c not into api_.
# Exit status 77 means skipped.
set(tests_dir "${PROJECT_SOURCE_DIR}/tests")
file(GLOB tests_internal CONFIGURE_DEPENDS "${tests_dir}/test_*.c" "${tests_dir}/conformance_*.c"
    "${tests_dir}/stress_*.c" "${tests_dir}/regress_*.c")
file(GLOB tests_api CONFIGURE_DEPENDS "${tests_dir}/api_*.c")
file(GLOB support_all CONFIGURE_DEPENDS "${tests_dir}/support/*.c")
if(NOT CMAKE_SYSTEM_NAME STREQUAL "Linux")
    list(REMOVE_ITEM tests_internal "${tests_dir}/test_cgroup.c")
endif()
set(support_api ${support_all})
list(FILTER support_api EXCLUDE REGEX "/internal_[^/]*\\.c$")

# What the tests of POSIX use, for Windows; the tests that are left out there, and why.
if(WIN32)
    include("${CMAKE_CURRENT_LIST_DIR}/tests_windows.cmake")
else()
    list(FILTER tests_internal EXCLUDE REGEX "_(windows|unsupported)\\.c$")
    list(FILTER tests_api EXCLUDE REGEX "_(windows|unsupported)\\.c$")
endif()

tmlrt_sources(testlib_sources ${tmlrt_files_test})
add_library(tmlrt_testlib STATIC ${testlib_sources})
tmlrt_compile_settings(tmlrt_testlib)
tmlrt_usage(tmlrt_testlib)
target_compile_definitions(tmlrt_testlib PUBLIC TMLRT_FAULTS TMLRT_TEST_BACKENDS)
target_compile_options(tmlrt_testlib PUBLIC -UNDEBUG)
target_link_libraries(tmlrt_testlib PUBLIC ${tmlrt_platform_libraries})

# cmocka where it is; whoever includes it without it gets the compiler's word.
find_path(CMOCKA_INCLUDE_DIR cmocka.h)
find_library(CMOCKA_LIBRARY cmocka)
add_library(tmlrt_test_env INTERFACE)
target_compile_definitions(tmlrt_test_env INTERFACE ${tmlrt_platform_definitions})
target_compile_options(tmlrt_test_env INTERFACE -UNDEBUG)
target_link_libraries(tmlrt_test_env INTERFACE tmlrt_warnings ${tmlrt_platform_libraries})
target_include_directories(tmlrt_test_env INTERFACE "${tests_dir}")
if(CMOCKA_INCLUDE_DIR AND CMOCKA_LIBRARY)
    target_include_directories(tmlrt_test_env SYSTEM INTERFACE "${CMOCKA_INCLUDE_DIR}")
    target_link_libraries(tmlrt_test_env INTERFACE "${CMOCKA_LIBRARY}")
endif()
if(WIN32)
    target_include_directories(tmlrt_test_env BEFORE INTERFACE "${tests_dir}/support/windows")
    target_compile_options(tmlrt_test_env INTERFACE
        "SHELL:-include \"${tests_dir}/support/windows/shim.h\"")
    target_link_options(tmlrt_test_env INTERFACE -static)
    target_link_libraries(tmlrt_test_env INTERFACE winpthread)
endif()
if(UNIX AND NOT APPLE)
    target_link_options(tmlrt_test_env INTERFACE "LINKER:--as-needed")
endif()

add_library(tmlrt_test_internal INTERFACE)
# -iquote: src/time.h and the like must not stand in for the system's headers.
target_compile_options(tmlrt_test_internal INTERFACE "SHELL:-iquote \"${PROJECT_SOURCE_DIR}/src\"")
target_link_libraries(tmlrt_test_internal INTERFACE tmlrt_test_env tmlrt_codegen tmlrt_testlib)
add_library(tmlrt_test_api INTERFACE)
target_link_libraries(tmlrt_test_api INTERFACE tmlrt_test_env tmlrt)

function(tmlrt_test_settings target kind)
    set_target_properties(${target} PROPERTIES
        C_STANDARD 11 C_STANDARD_REQUIRED ON C_EXTENSIONS OFF
        RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
    target_link_libraries(${target} PRIVATE tmlrt_test_${kind})
endfunction()

# Compiled once for each kind.
foreach(kind internal api)
    set(list ${support_all})
    if(kind STREQUAL "api")
        set(list ${support_api})
    endif()
    set(support_objects_${kind} "")
    if(list)
        add_library(tmlrt_support_${kind} OBJECT ${list})
        tmlrt_test_settings(tmlrt_support_${kind} ${kind})
        set(support_objects_${kind} $<TARGET_OBJECTS:tmlrt_support_${kind}>)
    endif()
endforeach()

# Where a test finds what it may start or read.
set(test_environment
    "TMLRT_SOURCE_DIR=${PROJECT_SOURCE_DIR}"
    "TMLRT_BUILD_DIR=${CMAKE_BINARY_DIR}"
    "ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1:abort_on_error=0"
    "UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1")
set(tsan_options "halt_on_error=1:second_deadlock_stack=1:history_size=4")
if(EXISTS "${tests_dir}/tsan.supp")
    string(APPEND tsan_options ":suppressions=${tests_dir}/tsan.supp")
endif()
list(APPEND test_environment "TSAN_OPTIONS=${tsan_options}")

function(tmlrt_test_properties name label)
    set_tests_properties(${name} PROPERTIES
        TIMEOUT ${TMLRT_TEST_TIMEOUT} SKIP_RETURN_CODE 77 LABELS ${label}
        ENVIRONMENT "${test_environment}")
endfunction()

foreach(kind internal api)
    foreach(file ${tests_${kind}})
        get_filename_component(name "${file}" NAME_WE)
        string(REGEX REPLACE "_.*" "" label "${name}")
        add_executable(${name} "${file}" ${support_objects_${kind}})
        tmlrt_test_settings(${name} ${kind})
        add_test(NAME ${name} COMMAND ${TMLRT_TEST_LAUNCHER} $<TARGET_FILE:${name}>)
        tmlrt_test_properties(${name} ${label})
        # A stress test wants the cores for itself.
        if(label STREQUAL "stress")
            set_tests_properties(${name} PROPERTIES PROCESSORS 2)
        endif()
    endforeach()
endforeach()

# The poller for systems without epoll: its own object comes before the library's.
if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
    add_executable(test_tml_poller_scan "${tests_dir}/api_tml_poller.c"
        "${PROJECT_SOURCE_DIR}/src/tml_poller_scan.c" ${support_objects_internal})
    tmlrt_test_settings(test_tml_poller_scan internal)
    add_test(NAME test_tml_poller_scan
        COMMAND ${TMLRT_TEST_LAUNCHER} $<TARGET_FILE:test_tml_poller_scan>)
    tmlrt_test_properties(test_tml_poller_scan test)
endif()
