# SPDX-License-Identifier: MIT
#
# The library: its objects once (on Windows twice), then the shared and the static form of them.
tmlrt_sources(tmlrt_source_list)
if(NOT tmlrt_source_list)
    message(FATAL_ERROR "tmlrt: no sources in ${PROJECT_SOURCE_DIR}/src")
endif()

# The version stands in the project's line and, for programs, in version.h.
set(version_h "${PROJECT_SOURCE_DIR}/include/tmlrt/version.h")
if(EXISTS "${version_h}")
    file(READ "${version_h}" version_text)
    foreach(part MAJOR MINOR PATCH)
        if(NOT version_text MATCHES "define TMLRT_VERSION_${part}[ ]+${PROJECT_VERSION_${part}}\n")
            message(FATAL_ERROR "tmlrt: TMLRT_VERSION_${part} of version.h and CMakeLists.txt differ")
        endif()
    endforeach()
endif()

function(tmlrt_compile_settings target)
    set_target_properties(${target} PROPERTIES
        C_STANDARD 11 C_STANDARD_REQUIRED ON C_EXTENSIONS OFF
        C_VISIBILITY_PRESET hidden POSITION_INDEPENDENT_CODE ON)
    target_compile_definitions(${target} PRIVATE TMLRT_BUILDING)
    target_link_libraries(${target} PRIVATE tmlrt_warnings tmlrt_codegen)
endfunction()

function(tmlrt_usage target)
    target_include_directories(${target} PUBLIC
        $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
        $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
endfunction()

function(tmlrt_objects target)
    add_library(${target} OBJECT ${tmlrt_source_list})
    tmlrt_compile_settings(${target})
    target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}/include")
endfunction()

tmlrt_objects(tmlrt_objects)
add_library(tmlrt SHARED $<TARGET_OBJECTS:tmlrt_objects>)
# On Windows an object says itself what it exports, so the static library has objects of its own: a
# program that is linked with it exports nothing.
if(WIN32)
    tmlrt_objects(tmlrt_static_objects)
    target_compile_definitions(tmlrt_objects PRIVATE TMLRT_SHARED)
else()
    add_library(tmlrt_static_objects ALIAS tmlrt_objects)
endif()
add_library(tmlrt_static STATIC $<TARGET_OBJECTS:tmlrt_static_objects>)
add_library(tmlrt::tmlrt ALIAS tmlrt)
add_library(tmlrt::tmlrt_static ALIAS tmlrt_static)
tmlrt_usage(tmlrt)
tmlrt_usage(tmlrt_static)
target_link_libraries(tmlrt PRIVATE ${tmlrt_platform_libraries})
target_link_libraries(tmlrt_static PUBLIC ${tmlrt_platform_libraries})
if(WIN32)
    target_compile_definitions(tmlrt INTERFACE TMLRT_SHARED)
endif()

# The compiler's own libraries are inside, so that the DLL stands alone.
if(MINGW)
    target_link_options(tmlrt PRIVATE -static)
endif()

# The library is optimised as a whole. The objects stay usable without it (fat), since the static
# library is made of the same ones; other compilers than GCC do not have that.
option(TMLRT_LTO "Optimise the library as a whole" ON)
if(TMLRT_LTO AND NOT TMLRT_SANITIZE AND CMAKE_C_COMPILER_ID STREQUAL "GNU" AND UNIX AND NOT APPLE
        AND CMAKE_BUILD_TYPE MATCHES "^Rel")
    target_compile_options(tmlrt_objects PRIVATE -flto=auto -ffat-lto-objects)
    target_link_options(tmlrt PRIVATE -flto=auto)
    # A fiber may come back from a wait on another thread, and compilers compute the address of a
    # thread-local once a function: no function may use one on both sides of a wait. All that wait
    # use theirs before it only, merged into their callers or not, but those of these files: the wait
    # itself, and what waits in a loop. They are merged with nothing. (Between two uses by tml_task.c a
    # future's poll may wait; it asks out of line.)
    set_source_files_properties("${PROJECT_SOURCE_DIR}/src/fiber.c"
        "${PROJECT_SOURCE_DIR}/src/tml_executor.c" PROPERTIES COMPILE_OPTIONS -fno-lto)
    # Nor are ours with the fibers of a program that is linked with -flto, which may wait again and
    # again: the static library has machine code alone.
    if(CMAKE_OBJCOPY)
        add_custom_command(TARGET tmlrt_static POST_BUILD VERBATIM
            COMMAND "${CMAKE_OBJCOPY}" --wildcard "--remove-section=.gnu.lto_*"
                "--remove-section=.gnu.debuglto_*" $<TARGET_FILE:tmlrt_static>)
    endif()
endif()

# The thread-local record is read on every call. initial-exec reads it in one instruction; under
# dlopen it takes some of the room that glibc keeps for that (our record is below 100 bytes).
set(TMLRT_TLS_MODEL "initial-exec" CACHE STRING "Thread-local storage model, or empty")
if(TMLRT_TLS_MODEL AND CMAKE_SYSTEM_NAME STREQUAL "Linux")
    target_compile_options(tmlrt_objects PRIVATE -ftls-model=${TMLRT_TLS_MODEL})
endif()

# While the major version is 0, a minor version is an ABI.
set_target_properties(tmlrt PROPERTIES
    VERSION ${PROJECT_VERSION}
    SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
    LINKER_LANGUAGE C)
set_target_properties(tmlrt_static PROPERTIES LINKER_LANGUAGE C)
if(NOT WIN32)
    set_target_properties(tmlrt_static PROPERTIES OUTPUT_NAME tmlrt)
endif()

if(UNIX AND NOT APPLE)
    set(map "${PROJECT_SOURCE_DIR}/src/libtmlrt.map")
    target_link_options(tmlrt PRIVATE "LINKER:--version-script=${map}" "LINKER:--as-needed")
    set_target_properties(tmlrt PROPERTIES LINK_DEPENDS "${map}")
endif()
# A sanitizer's runtime is in the program, not in the library.
if(CMAKE_SYSTEM_NAME STREQUAL "Linux" AND NOT TMLRT_SANITIZE)
    target_link_options(tmlrt PRIVATE "LINKER:-z,defs")
endif()
