/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * numa.c - sets of nodes, policies, and where pages are.
 */
#include "os/os.h"
#include "os/policy.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* include/uapi/linux/mempolicy.h of Linux 6.9; enum os_policy has its numbers. */
_Static_assert((int)OS_POLICY_PREFERRED == MPOL_PREFERRED, "the kernel's number");
_Static_assert((int)OS_POLICY_BIND == MPOL_BIND, "the kernel's number");
_Static_assert((int)OS_POLICY_INTERLEAVE == MPOL_INTERLEAVE, "the kernel's number");
_Static_assert((int)OS_POLICY_LOCAL == MPOL_LOCAL, "the kernel's number");

enum {
	WIDTH = 8 * sizeof(unsigned long),
	N_WORDS = OS_MAX_NODES / WIDTH,
	/* Bits of a policy's mode that are not the policy. */
	MODE_FLAGS = 1 << 13 | 1 << 14 | 1 << 15,
};

int os__nodes_next(const struct os_nodes *nodes, int node)
{
	while (node < OS_MAX_NODES) {
		unsigned long rest = nodes->bits[node / WIDTH] >> (node % WIDTH);

		if (rest != 0)
			return node + __builtin_ctzl(rest);
		node = (node / WIDTH + 1) * WIDTH;
	}
	return -1;
}

int os__nodes_count(const struct os_nodes *nodes)
{
	int n = 0;

	for (int i = 0; i < N_WORDS; i++)
		n += __builtin_popcountl(nodes->bits[i]);
	return n;
}

bool os__nodes_equal(const struct os_nodes *a, const struct os_nodes *b)
{
	return memcmp(a->bits, b->bits, sizeof(a->bits)) == 0;
}

bool os__nodes_within(const struct os_nodes *part, const struct os_nodes *whole)
{
	for (int i = 0; i < N_WORDS; i++)
		if (part->bits[i] & ~whole->bits[i])
			return false;
	return true;
}

/* The first node after a run of nodes that begins at `node`. */
static int run_end(const struct os_nodes *nodes, int node)
{
	while (os__nodes_has(nodes, node))
		node++;
	return node;
}

char *os__nodes_text(const struct os_nodes *nodes, char *text, size_t size)
{
	size_t used = 0;
	int end;

	if (size != 0)
		text[0] = '\0';
	for (int node = os__nodes_next(nodes, 0); node >= 0; node = os__nodes_next(nodes, end)) {
		end = run_end(nodes, node);

		const char *comma = used == 0 ? "" : ",";
		int n = end - node == 1 ?
			snprintf(text + used, size - used, "%s%d", comma, node) :
			snprintf(text + used, size - used, "%s%d-%d", comma, node, end - 1);

		if (n < 0 || (size_t)n >= size - used)
			break;
		used += (size_t)n;
	}
	return text;
}

int os__bind(void *ptr, size_t size, enum os_policy policy, const struct os_nodes *nodes, bool move)
{
	if (os__mbind(ptr, size, (int)policy, nodes == NULL ? NULL : nodes->bits,
		    nodes == NULL ? 0 : OS_NODES_BITS, move ? MPOL_MF_MOVE : 0) != 0)
		return -errno;
	return 0;
}

int os__policy(const void *ptr, enum os_policy *policy, struct os_nodes *nodes)
{
	struct os_nodes found;
	int mode;

	memset(&found, 0, sizeof(found));
	/* The kernel only looks the address up. */
	if (os__get_mempolicy(&mode, found.bits, OS_NODES_BITS, (void *)(uintptr_t)ptr, MPOL_F_ADDR) != 0)
		return -errno;
	*policy = (enum os_policy)(mode & ~MODE_FLAGS);
	*nodes = found;
	return 0;
}

int os__where(void *const *pages, size_t n, int *nodes)
{
	/* The kernel reads the array. */
	return os__move_pages(0, n, (void **)(uintptr_t)pages, NULL, nodes, 0) < 0 ? -errno : 0;
}

int os__move(void *const *pages, size_t n, const int *to, int *status)
{
	return os__move_pages(0, n, (void **)(uintptr_t)pages, to, status, MPOL_MF_MOVE) < 0 ? -errno : 0;
}
