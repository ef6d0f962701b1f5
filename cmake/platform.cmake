# SPDX-License-Identifier: MIT
#
# The only list of files that depend on the operating system. A file named
# below is compiled where its system is; every other file of src/ everywhere.
set(tmlrt_files_posix os_posix.c os_socket_posix.c os_map.c pipe.c reactor/readiness.c
    reactor/quiet.c reactor/simulated.c fiber_fault_posix.c signal_table.c)
set(tmlrt_files_linux ${tmlrt_files_posix} os_linux.c cgroup.c reactor/epoll.c tml_poller_epoll.c)
set(tmlrt_files_kqueue reactor/kqueue.c reactor/fd_bits.c)
set(tmlrt_files_bsd ${tmlrt_files_posix} os_bsd.c os_futex_cond.c ${tmlrt_files_kqueue}
    tml_poller_scan.c)
set(tmlrt_files_windows os_windows.c os_socket_windows.c os_map_windows.c fiber_fault_windows.c
    pipe_windows.c signal_table_windows.c reactor/iocp.c reactor/iocp_calls.c reactor/iocp_op.c
    reactor/iocp_poll.c reactor/iocp_request.c
    tml_poller_scan.c)
# Compiled into the test build of the library alone, where epoll or kqueue is, on which it stands.
set(tmlrt_files_sim reactor/sim.c reactor/fd_bits.c os_futex_cond.c)
set(tmlrt_files_test "")

set(tmlrt_platform_definitions "")
set(tmlrt_platform_libraries Threads::Threads)
if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
    set(tmlrt_files_here ${tmlrt_files_linux})
    set(tmlrt_files_test ${tmlrt_files_sim})
    # Empty, so that a source which defines it again says the same.
    set(tmlrt_platform_definitions _GNU_SOURCE=)
    # The kqueue backend over epoll, to be tested; tests/shim/kqueue/sys/event.h tells more.
    option(TMLRT_KQUEUE_SHIM "Build the kqueue backend on Linux, over a shim, for tests" OFF)
    if(TMLRT_KQUEUE_SHIM)
        set(shim "${PROJECT_SOURCE_DIR}/tests/shim/kqueue")
        list(APPEND tmlrt_files_here ${tmlrt_files_kqueue})
        list(APPEND tmlrt_platform_definitions TMLRT_KQUEUE_SHIM)
        include_directories(BEFORE "${shim}")
    endif()
elseif(WIN32)
    set(tmlrt_files_here ${tmlrt_files_windows})
    set(tmlrt_platform_definitions _WIN32_WINNT=0x0A00)
    # No library of POSIX threads: the compiler's own part that needs one brings it along.
    set(tmlrt_platform_libraries ws2_32 mswsock iphlpapi synchronization ntdll)
elseif(APPLE OR CMAKE_SYSTEM_NAME MATCHES "BSD|DragonFly")
    set(tmlrt_files_here ${tmlrt_files_bsd})
    set(tmlrt_files_test ${tmlrt_files_sim})
else()
    message(FATAL_ERROR "tmlrt: no backend for ${CMAKE_SYSTEM_NAME} (see cmake/platform.cmake)")
endif()

# Sets OUT to the sources of this platform; with EXTRA files of the list above.
function(tmlrt_sources OUT)
    file(GLOB all RELATIVE "${PROJECT_SOURCE_DIR}/src" CONFIGURE_DEPENDS
        "${PROJECT_SOURCE_DIR}/src/*.c" "${PROJECT_SOURCE_DIR}/src/*.S"
        "${PROJECT_SOURCE_DIR}/src/reactor/*.c")
    # MSVC's own assembler has a syntax of its own; clang-cl takes the files of the others.
    if(CMAKE_C_COMPILER_ID STREQUAL "MSVC")
        list(FILTER all EXCLUDE REGEX "\\.S$")
        list(APPEND all fiber_switch_win64.asm)
    endif()
    # An object without code has no mark of landing pads either, and takes it from the library.
    if(CMAKE_SYSTEM_NAME STREQUAL "Linux" AND CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
        list(FILTER all EXCLUDE REGEX "fiber_switch_(x86_64|win64|i386)\\.S$")
    endif()
    set(skip ${tmlrt_files_linux} ${tmlrt_files_bsd} ${tmlrt_files_windows} ${tmlrt_files_sim})
    list(REMOVE_ITEM skip ${tmlrt_files_here} ${ARGN})
    if(skip)
        list(REMOVE_ITEM all ${skip})
    endif()
    list(TRANSFORM all PREPEND "${PROJECT_SOURCE_DIR}/src/")
    if(TMLRT_KQUEUE_SHIM)
        list(APPEND all "${PROJECT_SOURCE_DIR}/tests/shim/kqueue/kqueue.c")
    endif()
    set(${OUT} ${all} PARENT_SCOPE)
endfunction()
