/* SPDX-License-Identifier: BSD-3-Clause */
/* A file of its own, so that tests can stand between the calls and those who make them. */
#include "os/policy.h"

#include <sys/syscall.h>
#include <unistd.h>

long os__mbind(void *ptr, unsigned long size, int mode, const unsigned long *nodes, unsigned long max_node,
	unsigned flags)
{
	return syscall(SYS_mbind, ptr, size, mode, nodes, max_node, flags);
}

long os__get_mempolicy(int *mode, unsigned long *nodes, unsigned long max_node, void *ptr, unsigned flags)
{
	return syscall(SYS_get_mempolicy, mode, nodes, max_node, ptr, flags);
}

long os__move_pages(int pid, unsigned long n, void **pages, const int *to, int *status, int flags)
{
	return syscall(SYS_move_pages, pid, n, pages, to, status, flags);
}
