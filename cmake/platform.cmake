# SPDX-License-Identifier: MIT
#
# The only list of files that depend on the operating system. A file named
# below is compiled where its system is; every other file of src/ everywhere.
set(tmlrt_files_linux os_linux.c os_posix.c os_map.c cgroup.c reactor/epoll.c
    reactor/simulated.c tml_poller_epoll.c)
set(tmlrt_files_bsd os_posix.c os_map.c reactor/kqueue.c tml_poller_scan.c)
set(tmlrt_files_windows os_windows.c reactor/iocp.c tml_poller_scan.c)
# Compiled into the test build of the library alone.
set(tmlrt_files_test reactor/sim.c)

set(tmlrt_platform_definitions "")
set(tmlrt_platform_libraries Threads::Threads)
if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
    set(tmlrt_files_here ${tmlrt_files_linux})
    # Empty, so that a source which defines it again says the same.
    set(tmlrt_platform_definitions _GNU_SOURCE=)
elseif(WIN32)
    set(tmlrt_files_here ${tmlrt_files_windows})
    set(tmlrt_platform_definitions _WIN32_WINNT=0x0A00)
    list(APPEND tmlrt_platform_libraries ws2_32 mswsock synchronization ntdll)
elseif(APPLE OR CMAKE_SYSTEM_NAME MATCHES "BSD|DragonFly")
    set(tmlrt_files_here ${tmlrt_files_bsd})
else()
    message(FATAL_ERROR "tmlrt: no backend for ${CMAKE_SYSTEM_NAME} (see cmake/platform.cmake)")
endif()

# Sets OUT to the sources of this platform; with EXTRA files of the list above.
function(tmlrt_sources OUT)
    file(GLOB all RELATIVE "${PROJECT_SOURCE_DIR}/src" CONFIGURE_DEPENDS
        "${PROJECT_SOURCE_DIR}/src/*.c" "${PROJECT_SOURCE_DIR}/src/*.S"
        "${PROJECT_SOURCE_DIR}/src/reactor/*.c")
    set(skip ${tmlrt_files_linux} ${tmlrt_files_bsd} ${tmlrt_files_windows} ${tmlrt_files_test})
    list(REMOVE_ITEM skip ${tmlrt_files_here} ${ARGN})
    if(skip)
        list(REMOVE_ITEM all ${skip})
    endif()
    list(TRANSFORM all PREPEND "${PROJECT_SOURCE_DIR}/src/")
    set(${OUT} ${all} PARENT_SCOPE)
endfunction()
