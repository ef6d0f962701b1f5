# SPDX-License-Identifier: MIT
#
# Tests on Windows: the shim for the calls of POSIX that they use, and the
# programs that cannot be there. `./dev check windows` prints both lists.
list(APPEND support_all "${tests_dir}/support/windows/shim.c")
list(APPEND support_api "${tests_dir}/support/windows/shim.c")

set(tests_skipped
    "api_backtrace: frames as gdb reads them from an ELF file"
    "api_fiber_many: counts the mappings of Linux"
    "api_main: sends itself signals by kill"
    "api_fork: there is no fork"
    "api_embed: a completion port has no handle that another loop could wait for"
    "api_signal: raises SIGUSR1, api_unsupported has console control events"
    "api_unix: tmlrt_unix_listen says TMLRT_ENOTSUP, api_unsupported tests that"
    "test_os: signals, cgroups and fork, test_os_windows is its like"
    "test_fd_bits: a part of kqueue"
    "test_futex_cond: of systems that have no futex of their own"
    "test_stack: mmap, mincore and fork, test_os_windows grows a stack into its guard"
    "regress_faults_io: a scenario raises SIGUSR1, and Wine's calls are not the system's"
    "api_simulated: the simulated network stands on the readiness layer of POSIX systems"
    "api_tml_poller: a hang-up as a pair of Unix sockets tells it"
    "test_source_word: its driver is epoll with an eventfd")
foreach(skipped ${tests_skipped})
    string(REGEX REPLACE ":.*" "" name "${skipped}")
    list(FILTER tests_internal EXCLUDE REGEX "/${name}\\.c$")
    list(FILTER tests_api EXCLUDE REGEX "/${name}\\.c$")
endforeach()
string(REPLACE ";" "\n" text "${tests_skipped}")
file(WRITE "${CMAKE_BINARY_DIR}/tests_skipped.txt" "${text}\n")
