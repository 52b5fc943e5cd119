/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hwloc_calls.h - hwloc's functions, from a library that is loaded when a place first needs it.
 *
 * Most programs never ask for a place by merit, and hwloc with what it brings along costs each of them
 * a quarter of a MiB and a tenth of its start. So nothing here is linked with hwloc: its functions are
 * looked up, and called as hw()->bitmap_zero(set). Of hwloc's headers only types, constants and those inline
 * functions are used that call nothing.
 *
 * Any thread; no lock is held, so a fork at any instant leaves nothing locked but what fork itself
 * looks after. Loading calls malloc: never from extent hooks.
 */
#ifndef AREA_HWLOC_CALLS_H
#define AREA_HWLOC_CALLS_H

#include <hwloc.h>
#include <stdatomic.h>

#define HWLOC_CALLS(call) \
	call(bitmap_alloc) \
	call(bitmap_dup) \
	call(bitmap_first) \
	call(bitmap_free) \
	call(bitmap_intersects) \
	call(bitmap_isincluded) \
	call(bitmap_isset) \
	call(bitmap_iszero) \
	call(bitmap_next) \
	call(bitmap_only) \
	call(bitmap_weight) \
	call(bitmap_zero) \
	call(distances_get_by_type) \
	call(distances_release) \
	call(get_nbobjs_by_depth) \
	call(get_obj_by_depth) \
	call(get_type_depth) \
	call(memattr_get_best_initiator) \
	call(memattr_get_flags) \
	call(memattr_get_initiators) \
	call(memattr_get_name) \
	call(memattr_get_value) \
	call(topology_destroy) \
	call(topology_get_allowed_nodeset) \
	call(topology_get_topology_cpuset) \
	call(topology_init) \
	call(topology_is_thissystem) \
	call(topology_load) \
	call(topology_set_cache_types_filter) \
	call(topology_set_flags) \
	call(topology_set_synthetic) \
	call(topology_set_xml)

struct hwloc_calls {
#define HWLOC_CALL_MEMBER(name) __typeof__(hwloc_##name) *name;
	HWLOC_CALLS(HWLOC_CALL_MEMBER)
#undef HWLOC_CALL_MEMBER
};

/*
 * Loads hwloc, where that was not done yet: 0, or -AML_ENOTSUP (there is no such library here, or one
 * that does not fit) or -AML_ENOMEM (no descriptor left to open it with). A failure is not kept.
 */
int hwloc_calls__load(void);

extern const struct hwloc_calls *_Atomic hwloc_calls__loaded;

/* After hwloc_calls__load gave 0. */
static inline const struct hwloc_calls *hw(void)
{
	return atomic_load_explicit(&hwloc_calls__loaded, memory_order_acquire);
}

/* The nodes of a topology in hwloc's order; NULL after the last. */
static inline hwloc_obj_t hw__node(hwloc_topology_t hwloc, unsigned i)
{
	return hw()->get_obj_by_depth(hwloc, HWLOC_TYPE_DEPTH_NUMANODE, i);
}

/* The node with that number, or NULL. */
static inline hwloc_obj_t hw__node_by_number(hwloc_topology_t hwloc, unsigned number)
{
	hwloc_obj_t object = NULL;

	for (unsigned i = 0; (object = hw__node(hwloc, i)) && object->os_index != number;)
		i++;
	return object;
}

#endif
