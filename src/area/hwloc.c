/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hwloc.c - areas in hwloc's terms, made of Linux areas and chains of them.
 *
 * The ready-made interleaving area learns its nodes at its first mapping, without malloc and without a
 * lock that a fork could leave held; after that no data change.
 */
#include "aml_hwloc.h"

#include "area/area.h"
#include "area/hwloc_calls.h"
#include "area/linux.h"
#include "area/nodes.h"
#include "area/topology.h"

#include <numa.h>
#include <stdatomic.h>

/* Ready-made */

static struct aml_area_data default_data = {
	.head = {.place = "any"}, .policy = AML_AREA_LINUX_POLICY_DEFAULT, .mode = OS_POLICY_DEFAULT};
static struct aml_area_data interleave_data = {
	.head = {.place = "any,interleave"}, .policy = AML_AREA_LINUX_POLICY_INTERLEAVE,
	.mode = OS_POLICY_INTERLEAVE};
static struct aml_area_data firsttouch_data = {
	.head = {.place = "local"}, .policy = AML_AREA_LINUX_POLICY_DEFAULT, .mode = OS_POLICY_LOCAL};

__attribute__((constructor)) static void set_page_size(void)
{
	default_data.page_size = os__page_size();
	interleave_data.page_size = os__page_size();
	firsttouch_data.page_size = os__page_size();
}

enum { UNPREPARED, PREPARING, PREPARED };
static _Atomic int state = UNPREPARED;

/*
 * An area's data with the nodes to interleave over, which cost a look at sysfs on first use. Whoever
 * comes while another thread writes them (or in the child of a fork that came then, for ever) works
 * on a copy. NULL: failed.
 */
static const struct aml_area_data *prepare(const struct aml_area_data *data, struct aml_area_data *copy)
{
	struct os_nodes allowed;
	int expected = UNPREPARED, failed;

	if (data != &interleave_data || state == PREPARED)
		return data;
	failed = os__nodes_allowed(&allowed);
	if (failed < 0) {
		linux__fail_to_tell_nodes(failed);
		return NULL;
	}
	if (atomic_compare_exchange_strong(&state, &expected, PREPARING)) {
		interleave_data.nodes = interleave_data.mode_nodes = allowed;
		state = PREPARED;
		return data;
	}
	copy->head = data->head;
	copy->policy = data->policy;
	copy->mode = data->mode;
	copy->page_size = data->page_size;
	copy->nodes = copy->mode_nodes = allowed;
	return copy;
}

static void *ready_mmap(const struct aml_area_data *data, void **ptr, size_t size)
{
	struct aml_area_data copy = {.huge_size = 0};

	data = prepare(data, &copy);
	return data ? aml_area_linux.ops->mmap(data, ptr, size) : NULL;
}

static int ready_purge(const struct aml_area_data *data, void *ptr, size_t size)
{
	return aml_area_linux.ops->purge(data, ptr, size);
}

static int ready_move(const struct aml_area_data *data, void *ptr, size_t size)
{
	struct aml_area_data copy = {.huge_size = 0};

	data = prepare(data, &copy);
	return data ? linux__move(data, ptr, size) : -aml_errno;
}

static const struct aml_area_ops ready_ops = {
	.mmap = ready_mmap,
	.munmap = linux__munmap,
	.fprintf = area__fprintf,
	.purge = ready_purge,
	.move = ready_move,
	.locate = linux__locate,
	.info = linux__info,
	.collapse = linux__collapse,
};

const struct aml_area aml_area_hwloc_default = {&ready_ops, &default_data};
const struct aml_area aml_area_hwloc_interleave = {&ready_ops, &interleave_data};
const struct aml_area aml_area_hwloc_firsttouch = {&ready_ops, &firsttouch_data};

/* Made */

static int policy_of(hwloc_membind_policy_t policy, enum aml_area_linux_policy *result)
{
	switch ((int)policy) {
	case HWLOC_MEMBIND_DEFAULT:
		*result = AML_AREA_LINUX_POLICY_DEFAULT;
		return 0;
	case HWLOC_MEMBIND_FIRSTTOUCH: /* bound, a page takes the touching thread's nearest of the set */
	case HWLOC_MEMBIND_BIND:
		*result = AML_AREA_LINUX_POLICY_BIND;
		return 0;
	case HWLOC_MEMBIND_INTERLEAVE:
		*result = AML_AREA_LINUX_POLICY_INTERLEAVE;
		return 0;
	case 5: /* HWLOC_MEMBIND_WEIGHTED_INTERLEAVE, from hwloc 2.11 on */
		*result = AML_AREA_LINUX_POLICY_WEIGHTED_INTERLEAVE;
		return 0;
	case HWLOC_MEMBIND_NEXTTOUCH:
		return aml__fail(AML_ENOTSUP, "Linux cannot move pages to the next thread that touches them");
	default:
		return aml__fail(AML_EINVAL, "%d is no policy to make an area with", (int)policy);
	}
}

/* hwloc's sets may be infinite ("all but"); then the nodes there are bound them. */
static int nodes_of(hwloc_const_bitmap_t nodeset, struct os_nodes *nodes)
{
	bool infinite = hw()->bitmap_weight(nodeset) < 0;
	struct os_nodes allowed;
	int node = -1, failed = infinite ? os__nodes_allowed(&allowed) : 0;

	*nodes = (struct os_nodes){{0}};
	if (failed < 0)
		return linux__fail_to_tell_nodes(failed);
	while ((node = hw()->bitmap_next(nodeset, node)) >= 0 && node < OS_MAX_NODES)
		if (!infinite || os__nodes_has(&allowed, node))
			os__nodes_add(nodes, node);
	if (node >= OS_MAX_NODES && !infinite)
		return aml__fail(AML_EDOM, "node %d: Linux has no more than %d nodes", node, OS_MAX_NODES);
	if (os__nodes_count(nodes) == 0)
		return aml__fail(AML_EINVAL, "the set of nodes is empty");
	return 0;
}

static int create(struct aml_area **area, struct os_nodes *nodes, enum aml_area_linux_policy policy)
{
	struct bitmask mask = {OS_MAX_NODES, nodes->bits};
	struct area_options options = {.nodes = &mask, .policy = policy};

	return area__linux_create(area, &options);
}

int aml_area_hwloc_create(struct aml_area **area, hwloc_const_bitmap_t nodeset,
	hwloc_membind_policy_t policy)
{
	enum aml_area_linux_policy linux_policy = AML_AREA_LINUX_POLICY_DEFAULT;
	struct os_nodes nodes;
	int err = policy_of(policy, &linux_policy);

	if (err < 0)
		return err;
	if (!area)
		return aml__fail(AML_EINVAL, "there is nowhere to put the area");
	if (!nodeset)
		return aml_area_linux_create(area, NULL, linux_policy);
	err = hwloc_calls__load();
	if (err == 0)
		err = nodes_of(nodeset, &nodes);
	return err < 0 ? err : create(area, &nodes, linux_policy);
}

int aml_area_hwloc_best_create(struct aml_area **area, enum hwloc_memattr_id_e attribute,
	hwloc_const_cpuset_t initiator)
{
	struct os_nodes groups[AREA_MAX_LINKS];
	struct aml_area *links[AREA_MAX_LINKS];
	const struct topology *topology;
	int n_groups, n, err;

	if (!area)
		return aml__fail(AML_EINVAL, "there is nowhere to put the area");
	err = topology__get(&topology);
	if (err < 0)
		return err;
	n_groups = topology__rank(topology, attribute, initiator, groups, AREA_MAX_LINKS);
	if (n_groups < 0)
		return n_groups;
	for (n = 0; n < n_groups; n++) {
		err = create(&links[n], &groups[n], AML_AREA_LINUX_POLICY_STRICT);
		if (err < 0)
			goto destroy_links;
	}
	if (n_groups == 1) {
		*area = links[0];
		return AML_SUCCESS;
	}
	err = area__chain_create(area, links, n_groups, NULL);
	if (err == AML_SUCCESS)
		return AML_SUCCESS;

destroy_links:
	while (n-- > 0)
		area__destroy(&links[n]);
	return err;
}

void aml_area_hwloc_destroy(struct aml_area **area)
{
	area__destroy(area);
}
