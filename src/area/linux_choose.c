/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * linux_choose.c - from nodes and a policy as asked for to what the kernel is told, tried out on one
 * page so that creation says what later calls could not do.
 *
 * Failure leaves nothing mapped.
 */
#include "area/linux.h"

#include <errno.h>
#include <numa.h>
#include <stdio.h>
#include <string.h>

static int copy_nodes(struct os_nodes *nodes, const struct bitmask *mask)
{
	enum { WIDTH = 8 * sizeof(unsigned long) };

	memset(nodes, 0, sizeof(*nodes));
	for (unsigned long i = 0; i < mask->size; i++) {
		if ((mask->maskp[i / WIDTH] >> (i % WIDTH) & 1) == 0)
			continue;
		if (i >= OS_MAX_NODES)
			return aml__fail(AML_EDOM, "node %lu: Linux has no more than %d nodes", i,
				OS_MAX_NODES);
		os__nodes_add(nodes, (int)i);
	}
	if (os__nodes_count(nodes) == 0)
		return aml__fail(AML_EINVAL, "the set of nodes is empty");
	return AML_SUCCESS;
}

int linux__fail_to_tell_nodes(int failed)
{
	/* Of descriptors, nothing else is short of anything. */
	return aml__fail(aml__code(failed) == AML_ENOMEM ? AML_ENOMEM : AML_FAILURE,
		"the kernel does not say which nodes this process may use: %s", os__strerror(failed));
}

static int choose_nodes(struct os_nodes *nodes, const struct bitmask *mask)
{
	struct os_nodes allowed, asked;
	int failed = os__nodes_allowed(&allowed);

	if (failed != 0)
		return linux__fail_to_tell_nodes(failed);
	if (mask == NULL) {
		*nodes = allowed;
		return AML_SUCCESS;
	}
	failed = copy_nodes(&asked, mask);
	if (failed != AML_SUCCESS)
		return failed;
	for (int node = os__nodes_next(&asked, 0); node >= 0; node = os__nodes_next(&asked, node + 1)) {
		char text[64];

		if (!os__nodes_has(&allowed, node))
			return aml__fail(AML_EDOM, "node %d is not among the nodes this process may use: %s",
				node, os__nodes_text(&allowed, text, sizeof(text)));
	}
	*nodes = asked;
	return AML_SUCCESS;
}

/* Binds one page, as the area's mmap will. 0 or a negative errno. */
static int try_policy(enum os_policy mode, const struct os_nodes *nodes, bool strict)
{
	size_t page_size = os__page_size();
	void *page;
	int node, failed = os__map(&page, NULL, page_size, OS_MAP_NORESERVE, 0);

	if (failed != 0)
		return failed;
	failed = os__bind(page, page_size, mode, nodes, false);
	if (failed == 0 && strict)
		failed = os__populate(page, page_size);
	if (failed == 0 && strict)
		failed = os__where(&page, 1, &node);
	os__unmap(page, page_size);
	return failed;
}

bool linux__may_not(int failed, const char *calls, const char *place)
{
	if (failed != -EPERM && failed != -EACCES)
		return false;
	aml__fail(AML_EPERM, "this process may not call %s (a container's seccomp filter?): allow it, as "
		"--cap-add=SYS_NICE does, or use an area without a policy%s%s", calls,
		place == NULL ? "" : "; this one is ", place == NULL ? "" : place);
	return true;
}

static int explain(int failed, enum aml_area_linux_policy policy)
{
	if (linux__may_not(failed, policy == AML_AREA_LINUX_POLICY_STRICT ? "mbind and move_pages" : "mbind",
		    NULL))
		return -AML_EPERM;
	switch (-failed) {
	case ENOSYS:
		return aml__fail(AML_ENOTSUP, "this kernel has no NUMA policies");
	case EINVAL:
		return aml__fail(AML_ENOTSUP, "this kernel lacks the policy%s",
			policy == AML_AREA_LINUX_POLICY_WEIGHTED_INTERLEAVE ?
				" weighted interleave (Linux 6.9 has it)" : "");
	}
	return aml__fail(aml__code(failed), "trying the policy on one page: %s", os__strerror(failed));
}

static void only_first(struct os_nodes *nodes)
{
	int first = os__nodes_next(nodes, 0);

	memset(nodes, 0, sizeof(*nodes));
	os__nodes_add(nodes, first);
}

/* How the kernel knows the policy, on the kernel that knows them all. */
static enum os_policy mode_of(enum aml_area_linux_policy policy, const struct os_nodes *nodes)
{
	switch (policy) {
	case AML_AREA_LINUX_POLICY_DEFAULT:
		return OS_POLICY_DEFAULT;
	case AML_AREA_LINUX_POLICY_BIND:
		return OS_POLICY_BIND;
	case AML_AREA_LINUX_POLICY_PREFERRED:
		return OS_POLICY_PREFERRED;
	case AML_AREA_LINUX_POLICY_INTERLEAVE:
		return OS_POLICY_INTERLEAVE;
	case AML_AREA_LINUX_POLICY_PREFERRED_MANY:
		return OS_POLICY_PREFERRED_MANY;
	case AML_AREA_LINUX_POLICY_WEIGHTED_INTERLEAVE:
		return OS_POLICY_WEIGHTED_INTERLEAVE;
	case AML_AREA_LINUX_POLICY_STRICT:
		break;
	}
	return os__nodes_count(nodes) == 1 ? OS_POLICY_PREFERRED : OS_POLICY_PREFERRED_MANY;
}

int linux__choose(struct aml_area_data *data, const struct area_options *options)
{
	enum aml_area_linux_policy policy = options->policy;
	bool strict = policy == AML_AREA_LINUX_POLICY_STRICT;
	struct os_nodes nodes, mode_nodes;
	enum os_policy mode;
	int failed;

	if ((unsigned)policy > AML_AREA_LINUX_POLICY_STRICT)
		return aml__fail(AML_EINVAL, "%d is no policy", (int)policy);
	failed = choose_nodes(&nodes, options->nodes);
	if (failed != AML_SUCCESS)
		return failed;
	/* Whoever asks for room later may have no descriptor to look with, but know what was found here. */
	if (strict || options->populate)
		(void)os__room();
	mode = mode_of(policy, &nodes);
	mode_nodes = nodes;
	if (mode == OS_POLICY_DEFAULT && options->local) {
		mode = OS_POLICY_LOCAL;
		memset(&mode_nodes, 0, sizeof(mode_nodes));
	}
	if (mode == OS_POLICY_PREFERRED)
		only_first(&mode_nodes);
	if (mode != OS_POLICY_DEFAULT)
		failed = try_policy(mode, &mode_nodes, strict);
	if (failed == -EINVAL && mode == OS_POLICY_PREFERRED_MANY) {
		/* Linux before 5.15. Strict areas move what falls elsewhere within the set. */
		mode = OS_POLICY_PREFERRED;
		only_first(&mode_nodes);
		failed = try_policy(mode, &mode_nodes, strict);
	}
	if (failed != 0)
		return explain(failed, policy);
	data->policy = policy;
	data->nodes = nodes;
	data->mode = mode;
	data->mode_nodes = mode_nodes;
	return AML_SUCCESS;
}

static const char *word_of(enum aml_area_linux_policy policy)
{
	switch (policy) {
	case AML_AREA_LINUX_POLICY_DEFAULT:
		break;
	case AML_AREA_LINUX_POLICY_BIND:
		return ",bind";
	case AML_AREA_LINUX_POLICY_PREFERRED:
	case AML_AREA_LINUX_POLICY_PREFERRED_MANY:
		return ",preferred";
	case AML_AREA_LINUX_POLICY_INTERLEAVE:
		return ",interleave";
	case AML_AREA_LINUX_POLICY_WEIGHTED_INTERLEAVE:
		return ",weighted";
	case AML_AREA_LINUX_POLICY_STRICT:
		return ",strict";
	}
	return ",firsttouch";
}

void linux__describe(const struct aml_area_data *data, const char *name, char *text, size_t size)
{
	/* Of a preferred area the first node is all that counts. */
	const struct os_nodes *nodes = data->policy == AML_AREA_LINUX_POLICY_PREFERRED ?
		&data->mode_nodes : &data->nodes;
	bool bound = data->policy != AML_AREA_LINUX_POLICY_DEFAULT;
	char list[LINUX_LIST_SIZE];

	/* The kernel is told no nodes then, as for memory anywhere. */
	if (name == NULL && !bound)
		name = "any";
	os__nodes_text(nodes, list, sizeof(list));
	snprintf(text, size, "%s%s%s%s%s%s%s%s", name == NULL ? "" : name,
		name != NULL && bound ? "," : "", bound ? "node:" : "", bound ? list : "",
		bound ? word_of(data->policy) : "", data->huge_size != 0 ? ",thp" : "",
		data->nothp ? ",nothp" : "", data->populate ? ",populate" : "");
}
