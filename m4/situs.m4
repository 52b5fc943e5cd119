# Configure checks of this project. Each macro says what is missing in words a person can act on.

# SITUS_REQUIRE(VARIABLE, MODULE, DEBIAN-PACKAGE): a pkg-config module; a miss joins $situs_missing.
AC_DEFUN([SITUS_REQUIRE], [
PKG_CHECK_MODULES([$1], [$2], [],
	[situs_missing="$situs_missing
  $2: Debian package $3"
	situs_missing_packages="$situs_missing_packages $3"])
])

# SITUS_OPTIONAL(VARIABLE, MODULE, DEBIAN-PACKAGE, WHAT): defines HAVE_VARIABLE for Automake.
AC_DEFUN([SITUS_OPTIONAL], [
PKG_CHECK_MODULES([$1], [$2],
	[situs_have_$1=yes; situs_summary_$1=yes],
	[situs_have_$1=no; situs_summary_$1="no ($4 need Debian package $3)"])
AM_CONDITIONAL([HAVE_$1], [test "x$situs_have_$1" = xyes])
])

# The name that hwloc is loaded by when a place needs it (src/area/hwloc_calls.h): what a program that was
# linked with it asks for.
AC_DEFUN([SITUS_HWLOC_SONAME], [
AC_CACHE_CHECK([which hwloc to load when it is needed], [situs_cv_hwloc_soname],
	[situs_cv_hwloc_soname=unknown
	situs_save_cflags=$CFLAGS situs_save_libs=$LIBS
	CFLAGS="$CFLAGS $HWLOC_CFLAGS" LIBS="$HWLOC_LIBS $LIBS"
	AC_LINK_IFELSE([AC_LANG_PROGRAM([#include <hwloc.h>], [return (int)hwloc_get_api_version();])],
		[situs_cv_hwloc_soname=`$READELF -d conftest$EXEEXT 2>/dev/null |
			sed -n 's/.*(NEEDED).*@<:@@<:@@:>@\(libhwloc@<:@^@:>@@:>@*\)@:>@.*/\1/p' | sed 1q`])
	CFLAGS=$situs_save_cflags LIBS=$situs_save_libs
	AS_IF([test -z "$situs_cv_hwloc_soname"], [situs_cv_hwloc_soname=unknown])])
situs_hwloc_soname=$situs_cv_hwloc_soname
AS_IF([test "$situs_hwloc_soname" = unknown && test -z "$situs_missing"],
	[AC_MSG_ERROR([a program linked with hwloc does not ask for a shared libhwloc (readelf -d tells): Situs loads
it when a place needs it, so the shared library must be there])])
AC_DEFINE_UNQUOTED([HWLOC_SONAME], ["$situs_hwloc_soname"], [The name hwloc's shared library is loaded by])
])

# SITUS_TRY_FLAG(VARIABLE, FLAG): appends FLAG where the C compiler takes it.
AC_DEFUN([SITUS_TRY_FLAG], [
AS_VAR_PUSHDEF([cache], [situs_cv_flag_$2])
AC_CACHE_CHECK([whether $CC accepts $2], [cache],
	[situs_save_cflags=$CFLAGS
	CFLAGS="$CFLAGS -Werror $2"
	AC_COMPILE_IFELSE([AC_LANG_PROGRAM([], [])], [AS_VAR_SET([cache], [yes])], [AS_VAR_SET([cache], [no])])
	CFLAGS=$situs_save_cflags])
AS_VAR_IF([cache], [yes], [$1="$$1 $2"])
AS_VAR_POPDEF([cache])
])

AC_DEFUN([SITUS_WARNINGS], [
SITUS_CFLAGS="-std=gnu11 -fvisibility=hidden"
m4_foreach_w([flag], [-Wall -Wextra -Wshadow -Wundef -Wvla -Wformat=2 -Wpointer-arith
	-Wwrite-strings -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition
	-Wimplicit-fallthrough -Wduplicated-cond -Wlogical-op -Wthread-safety],
	[SITUS_TRY_FLAG([SITUS_CFLAGS], flag)])
SITUS_CXXFLAGS="-std=c++17 -Wall -Wextra -Wshadow"
AC_ARG_ENABLE([werror],
	[AS_HELP_STRING([--enable-werror], [make every warning an error (continuous integration does)])],
	[], [enable_werror=no])
AS_IF([test "x$enable_werror" = xyes],
	[SITUS_CFLAGS="$SITUS_CFLAGS -Werror"; SITUS_CXXFLAGS="$SITUS_CXXFLAGS -Werror"
	situs_warnings_summary="are errors"],
	[situs_warnings_summary="are warnings (--enable-werror makes them errors)"])
AC_SUBST([SITUS_CFLAGS])
AC_SUBST([SITUS_CXXFLAGS])
])

AC_DEFUN([SITUS_SANITIZERS], [
AC_ARG_ENABLE([sanitizers],
	[AS_HELP_STRING([--enable-sanitizers=LIST], [build with sanitizers: address,undefined or thread])],
	[], [enable_sanitizers=no])
AS_CASE([$enable_sanitizers],
	[no], [situs_sanitizers_summary=none; SANITIZER_FLAGS=],
	[yes], [AC_MSG_ERROR([--enable-sanitizers needs a list: address,undefined or thread])],
	[situs_sanitizers_summary=$enable_sanitizers
	SANITIZER_FLAGS="-fsanitize=$enable_sanitizers -fno-sanitize-recover=all -fno-omit-frame-pointer"])
AS_IF([test -n "$SANITIZER_FLAGS"],
	[situs_save_cflags=$CFLAGS
	CFLAGS="$CFLAGS $SANITIZER_FLAGS"
	AC_MSG_CHECKING([whether $CC links with $SANITIZER_FLAGS])
	AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])], [AC_MSG_RESULT([yes])],
		[AC_MSG_RESULT([no])
		AC_MSG_ERROR([$CC cannot build with --enable-sanitizers=$enable_sanitizers])])
	CFLAGS=$situs_save_cflags])
AC_SUBST([SANITIZER_FLAGS])
AM_CONDITIONAL([SANITIZED], [test -n "$SANITIZER_FLAGS"])
AM_CONDITIONAL([SANITIZED_THREAD], [test "x$enable_sanitizers" = xthread])
])

# Builds that look closer at what programs do (doc/safety.md). AddressSanitizer builds and those for
# valgrind need their blocks laid out for it too.
AC_DEFUN([SITUS_CHECKS], [
AC_ARG_ENABLE([checking],
	[AS_HELP_STRING([--enable-checking], [abort with a clear line on stale handles, double frees, overruns and
		frees of what is no block; for tests])],
	[], [enable_checking=no])
AC_ARG_ENABLE([hardened],
	[AS_HELP_STRING([--enable-hardened], [quarantine, random order of reuse, double-free and overrun checks;
		for production])],
	[], [enable_hardened=no])
AC_ARG_ENABLE([valgrind],
	[AS_HELP_STRING([--enable-valgrind], [show blocks of heaps to memcheck (default: with --enable-checking
		where valgrind's headers are)])],
	[], [enable_valgrind=auto])
AS_IF([test "x$enable_valgrind" = xauto], [AS_IF([test "x$enable_checking" = xno ||
	test "x$enable_sanitizers" != xno], [enable_valgrind=no])])
AS_IF([test "x$enable_valgrind" != xno],
	[AC_CHECK_HEADER([valgrind/memcheck.h], [situs_have_valgrind=yes], [situs_have_valgrind=no])
	AS_IF([test "x$situs_have_valgrind" = xno && test "x$enable_valgrind" = xyes],
		[AC_MSG_ERROR([--enable-valgrind needs valgrind/memcheck.h: Debian package valgrind])])
	enable_valgrind=$situs_have_valgrind])
SITUS_CHECK_FLAGS=
situs_checks_summary=
AS_IF([test "x$enable_checking" = xyes],
	[SITUS_CHECK_FLAGS="-DSITUS_CHECKING=1"; situs_checks_summary="checking"])
AS_IF([test "x$enable_hardened" = xyes],
	[SITUS_CHECK_FLAGS="$SITUS_CHECK_FLAGS -DSITUS_HARDENED=1"
	situs_checks_summary="$situs_checks_summary hardened"])
AS_IF([test "x$enable_valgrind" = xyes],
	[SITUS_CHECK_FLAGS="$SITUS_CHECK_FLAGS -DSITUS_VALGRIND=1"
	situs_checks_summary="$situs_checks_summary valgrind"])
AS_CASE([$enable_sanitizers], [*address*],
	[SITUS_CHECK_FLAGS="$SITUS_CHECK_FLAGS "
	situs_checks_summary="$situs_checks_summary AddressSanitizer"])
AS_IF([test -n "$SITUS_CHECK_FLAGS"], [SITUS_CHECK_FLAGS="$SITUS_CHECK_FLAGS -DSITUS_GUARDED=1"],
	[situs_checks_summary=none])
AC_SUBST([SITUS_CHECK_FLAGS])
AM_CONDITIONAL([GUARDED], [test -n "$SITUS_CHECK_FLAGS"])
AM_CONDITIONAL([CHECKING], [test "x$enable_checking" = xyes])
AM_CONDITIONAL([FOR_VALGRIND], [test "x$enable_valgrind" = xyes])
])

# Every linker of Linux takes a GNU version script; a check all the same, since the exported names
# are a promise.
AC_DEFUN([SITUS_VERSION_SCRIPT], [
AC_MSG_CHECKING([whether the linker takes a version script])
situs_save_ldflags=$LDFLAGS
LDFLAGS="$LDFLAGS -Wl,--version-script=conftest.map"
AS_ECHO(["{ global: main; local: *; };"]) > conftest.map
AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])], [AC_MSG_RESULT([yes])],
	[AC_MSG_RESULT([no]); AC_MSG_ERROR([the linker does not support --version-script])])
LDFLAGS=$situs_save_ldflags
rm -f conftest.map
])

# Can functions be put in an order? A linker script that adds to the linker's own (GNU ld and LLVM's can; gold cannot)
# and sections for each function. Where not, the libraries are the same but for some pages that are resident.
AC_DEFUN([SITUS_ORDER], [
AC_CACHE_CHECK([whether the linker puts functions in an order], [situs_cv_order],
	[situs_cv_order=no
	situs_save_cflags=$CFLAGS situs_save_ldflags=$LDFLAGS
	AS_ECHO(["SECTIONS { .text.hot_first : { *(.text.startup) *(.text.situs_first) } } INSERT BEFORE .text;"]) > conftest.ld
	CFLAGS="$CFLAGS -fPIC -ffunction-sections" LDFLAGS="$LDFLAGS -shared -Wl,-T,conftest.ld"
	AC_LINK_IFELSE([AC_LANG_SOURCE([int situs_first(void); int situs_first(void) { return 1; }])],
		[AS_IF([$READELF -SW conftest$EXEEXT 2>/dev/null | grep '@<:@.@:>@text.hot_first' >/dev/null],
			[situs_cv_order=yes])])
	CFLAGS=$situs_save_cflags LDFLAGS=$situs_save_ldflags
	rm -f conftest.ld])
AS_IF([test "$situs_cv_order" = yes], [SITUS_CFLAGS="$SITUS_CFLAGS -ffunction-sections"])
AM_CONDITIONAL([ORDERED], [test "$situs_cv_order" = yes])
])

# What a jemalloc under another prefix is made of, for a test: the static library and objcopy.
AC_DEFUN([SITUS_PREFIXED], [
AC_CHECK_TOOL([OBJCOPY], [objcopy])
AC_MSG_CHECKING([for libjemalloc_pic.a])
JEMALLOC_ARCHIVE=`$PKG_CONFIG --variable=libdir jemalloc`/libjemalloc_pic.a
AS_IF([test -f "$JEMALLOC_ARCHIVE"], [AC_MSG_RESULT([$JEMALLOC_ARCHIVE])],
	[AC_MSG_RESULT([no]); JEMALLOC_ARCHIVE=])
AC_SUBST([JEMALLOC_ARCHIVE])
AM_CONDITIONAL([HAVE_PREFIXED], [test -n "$OBJCOPY" && test -n "$JEMALLOC_ARCHIVE"])
])

# SITUS_PEER(VARIABLE, HEADER, LIBRARY, FUNCTION, DEBIAN-PACKAGE): an allocator that the benchmarks
# compare with, by header and library; sets VARIABLE_LIBS and HAVE_VARIABLE, and $situs_peers or
# $situs_peers_missing.
AC_DEFUN([SITUS_PEER], [
AC_CHECK_HEADER([$2], [AC_CHECK_LIB([$3], [$4], [situs_have_$1=yes], [situs_have_$1=no])],
	[situs_have_$1=no])
AS_VAR_IF([situs_have_$1], [yes],
	[situs_peers="$situs_peers $3"; AC_SUBST([$1_LIBS], [-l$3])],
	[situs_peers_missing="$situs_peers_missing $5"])
AM_CONDITIONAL([HAVE_$1], [test "x$situs_have_$1" = xyes])
])

# Maps that the address map is measured beside, headers only.
AC_DEFUN([SITUS_PEER_MAPS], [
AC_LANG_PUSH([C++])
AC_CHECK_HEADER([absl/container/btree_map.h], [situs_have_ABSL=yes],
	[situs_have_ABSL=no; situs_peers_missing="$situs_peers_missing libabsl-dev"])
AC_CHECK_HEADER([boost/icl/interval_map.hpp], [situs_have_ICL=yes],
	[situs_have_ICL=no; situs_peers_missing="$situs_peers_missing libboost-dev"])
AC_LANG_POP([C++])
AS_VAR_IF([situs_have_ABSL], [yes], [situs_peers="$situs_peers absl"])
AS_VAR_IF([situs_have_ICL], [yes], [situs_peers="$situs_peers boost::icl"])
AM_CONDITIONAL([HAVE_ABSL], [test "x$situs_have_ABSL" = xyes])
AM_CONDITIONAL([HAVE_ICL], [test "x$situs_have_ICL" = xyes])
])
