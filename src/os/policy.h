/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * policy.h - the kernel's calls for policies and for places of pages, which the C library does not wrap.
 *
 * libnuma does, but it reads /proc and /sys in every process it is loaded into, before main, and tries
 * policies out. Each is the call of that name without the os__, as its manual page has it: -1 and errno.
 */
#ifndef OS_POLICY_H
#define OS_POLICY_H

#include <linux/mempolicy.h>

long os__mbind(void *ptr, unsigned long size, int mode, const unsigned long *nodes, unsigned long max_node,
	unsigned flags);
long os__get_mempolicy(int *mode, unsigned long *nodes, unsigned long max_node, void *ptr, unsigned flags);
long os__move_pages(int pid, unsigned long n, void **pages, const int *to, int *status, int flags);

#endif
