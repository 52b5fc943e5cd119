/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * linux.c - private anonymous memory under one of the kernel's NUMA policies.
 *
 * A mapping costs one mmap and, where the area has a policy, one mbind; pages come at first touch.
 * Strict areas (strict.c) and huge pages (hugetlb.c) stand on the functions here.
 *
 * A failed call has unmapped what it mapped. An area is immutable: no locks here.
 */
#include "area/linux.h"
#include "area/figures.h"
#include "area/limit.h"
#include "area/room.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>

struct ledger linux__ledger = LEDGER_INITIALIZER;

struct size_text linux__size(size_t size)
{
	static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	struct size_text text;
	unsigned unit = 0;

	while (size >= 1024 && (size % 1024 == 0 || size >= (size_t)100 * 1024)) {
		size /= 1024;
		unit++;
	}
	snprintf(text.text, sizeof(text.text), "%zu %s", size, units[unit]);
	return text;
}

/* By node, folded: machines have fewer, and a chain that looks once too often loses little. */
enum { N_COUNTERS = 64 };
static _Atomic unsigned n_returns[N_COUNTERS];

void linux__note_return(const struct aml_area_data *data)
{
	if (!atomic_load(&area__counts_returns))
		return;
	for (int node = os__nodes_next(&data->nodes, 0); node >= 0;
		node = os__nodes_next(&data->nodes, node + 1))
		atomic_fetch_add_explicit(&n_returns[node % N_COUNTERS], 1, memory_order_release);
}

unsigned linux__n_returns(const struct aml_area_data *data)
{
	unsigned sum = 0;

	for (int node = os__nodes_next(&data->nodes, 0); node >= 0;
		node = os__nodes_next(&data->nodes, node + 1))
		sum += atomic_load_explicit(&n_returns[node % N_COUNTERS], memory_order_acquire);
	return sum;
}

/*
 * Over-maps and trims, so that transparent huge pages fit; kernels from 6.7 on align large mappings
 * themselves and never come here.
 */
static int map_aligned(void **ptr, size_t size, size_t alignment)
{
	size_t over = size + alignment;
	char *start;
	void *p;
	int failed;

	if (over < size)
		return -ENOMEM;
	failed = os__map(&p, NULL, over, OS_MAP_NORESERVE, 0);
	if (failed != 0)
		return failed;
	start = (char *)(((uintptr_t)p + alignment - 1) & ~(uintptr_t)(alignment - 1));
	if (start != p)
		os__unmap(p, (size_t)(start - (char *)p));
	if (start + size != (char *)p + over)
		os__unmap(start + size, over - size - (size_t)(start - (char *)p));
	*ptr = start;
	return 0;
}

static int map_pages(void **ptr, const struct aml_area_data *data, void *hint, size_t size)
{
	void *p;
	int failed = os__map(&p, hint, size, OS_MAP_NORESERVE, 0);

	if (failed != 0)
		return failed;
	if (data->huge_size != 0 && hint == NULL && size >= data->huge_size &&
		(uintptr_t)p % data->huge_size != 0) {
		os__unmap(p, size);
		failed = map_aligned(&p, size, data->huge_size);
		if (failed != 0)
			return failed;
	}
	*ptr = p;
	return 0;
}

/* Transparent huge pages: 1 asked for, -1 forbidden, 0 as the system has it. */
static int thp_advice(const struct aml_area_data *data)
{
	if (data->huge_size != 0)
		return 1;
	return data->nothp || data->policy == AML_AREA_LINUX_POLICY_STRICT ? -1 : 0;
}

/* Nodes were there when the area was made; memory goes offline, and cpusets are narrowed. */
static int fail_to_bind(const struct aml_area_data *data, size_t size, int failed)
{
	struct os_nodes allowed;
	char list[64], shown[64];

	if (aml__code(failed) != AML_EINVAL)
		return aml__fail(aml__code(failed), "%s: the kernel refused to bind %zu bytes: %s",
			data->head.place, size, os__strerror(failed));
	if (os__nodes_allowed(&allowed) != 0 || os__nodes_within(&data->mode_nodes, &allowed))
		return aml__fail(AML_EDOM, "%s: the kernel refused to bind %zu bytes: %s", data->head.place,
			size, os__strerror(failed));
	os__nodes_text(&data->mode_nodes, list, sizeof(list));
	os__nodes_text(&allowed, shown, sizeof(shown));
	return aml__fail(AML_EDOM, "%s: node %s has no memory for this process any more: it is offline, or "
		"outside of the cpuset (which allows %s)", data->head.place, list, shown);
}

/* Policy and advice for fresh address space. */
static int prepare(const struct aml_area_data *data, void *ptr, size_t size)
{
	int advice = thp_advice(data), failed;

	if (data->mode != OS_POLICY_DEFAULT) {
		failed = os__bind(ptr, size, data->mode, &data->mode_nodes, false);
		if (linux__may_not(failed, "mbind", data->head.place))
			return -AML_EPERM;
		if (failed != 0)
			return fail_to_bind(data, size, failed);
	}
	if (advice != 0) {
		failed = os__advise_huge(ptr, size, advice > 0);
		/* EINVAL: a kernel without transparent huge pages, which has none to forbid either. */
		if (failed != 0 && !(failed == -EINVAL && advice < 0))
			return aml__fail(AML_ENOTSUP, "%s: the kernel refused advice on huge pages: %s",
				data->head.place, os__strerror(failed));
	}
	return AML_SUCCESS;
}

static void *fail_to_map(const struct aml_area_data *data, size_t size, int failed)
{
	aml__fail(aml__code(failed), "%s: mapping %s: %s", data->head.place, linux__size(size).text,
		os__strerror(failed));
	return NULL;
}

static void *fail_to_note(const struct aml_area_data *data, void *ptr, size_t size)
{
	os__unmap(ptr, size);
	aml__fail(AML_ENOMEM, "%s: no memory to note a mapping", data->head.place);
	return NULL;
}

void *linux__reserve(const struct aml_area_data *data, void *hint, size_t size, enum linux_value value)
{
	void *p;
	int failed = map_pages(&p, data, hint, size);

	if (failed != 0)
		return fail_to_map(data, size, failed);
	if (prepare(data, p, size) != AML_SUCCESS) {
		os__unmap(p, size);
		return NULL;
	}
	if (ledger__push(&linux__ledger, (uintptr_t)p, (uintptr_t)p + size, value) != 0)
		return fail_to_note(data, p, size);
	return p;
}

void linux__unreserve(void *ptr, size_t size)
{
	/* Whole as it was added, or joined to neighbours: a split may lack memory, and then a range
	   stays noted that nobody will ask for. */
	ledger__remove(&linux__ledger, (uintptr_t)ptr, (uintptr_t)ptr + size);
	os__unmap(ptr, size);
}

struct populating {
	const struct aml_area_data *data;
	char *start;
	size_t size;
};

static int populate_step(void *arg, size_t at, size_t size)
{
	const struct populating *populating = arg;
	int failed = os__populate(populating->start + at, size);

	if (failed != 0)
		return aml__fail(AML_ENOMEM, "%s: no pages for %s: %s", populating->data->head.place,
			linux__size(populating->size).text, os__strerror(failed));
	return AML_SUCCESS;
}

int linux__populate(const struct aml_area_data *data, void *ptr, size_t size)
{
	struct populating populating = {data, ptr, size};

	return room__fill(data->head.place, size, data->huge_size != 0 ? data->huge_size : data->page_size,
		populate_step, &populating);
}

/* One mmap and no more: as linux__reserve, with as few calls around it as can be (os__map_plain). */
static void *map_bare(const struct aml_area_data *data, void *hint, size_t size)
{
	void *p = os__map_plain(hint, size);

	if (p == NULL)
		return fail_to_map(data, size, errno);
	if (ledger__push(&linux__ledger, (uintptr_t)p, (uintptr_t)p + size, LINUX_PLAIN) != 0)
		return fail_to_note(data, p, size);
	return p;
}

static void *map_prepared(const struct aml_area_data *data, void *hint, size_t size)
{
	int old_errno = errno;
	void *p = linux__reserve(data, hint, size, LINUX_PLAIN);

	if (p != NULL && data->populate && linux__populate(data, p, size) != AML_SUCCESS) {
		linux__unreserve(p, size);
		(void)room__check(data->head.place, size);
		return NULL;
	}
	if (p != NULL)
		errno = old_errno;
	return p;
}

static bool is_bare(const struct aml_area_data *data)
{
	return data->mode == OS_POLICY_DEFAULT && data->huge_size == 0 && !data->nothp && !data->populate;
}

static void *linux_mmap(const struct aml_area_data *data, void **ptr, size_t size)
{
	if (!area__round(size, data->page_size, &size)) {
		aml__fail(AML_ENOMEM, "%s: the size overflows when rounded to pages", data->head.place);
		return NULL;
	}
	return is_bare(data) ? map_bare(data, area__hint(ptr), size) :
		map_prepared(data, area__hint(ptr), size);
}

int linux__munmap(const struct aml_area_data *data, void *ptr, size_t size)
{
	uintptr_t start = (uintptr_t)ptr, end;
	int failed;

	if (!area__round(size, data->page_size, &size) || __builtin_add_overflow(start, size, &end))
		return aml__fail(AML_EINVAL, "%s: unmapping a size that overflows", data->head.place);
	/* Out of the ledger first: once unmapped, the addresses may come back on another thread. */
	failed = ledger__remove(&linux__ledger, start, end);
	if (failed == -EINVAL)
		return aml__fail(AML_EINVAL, "%s: %zu bytes at %p are not what an area mapped",
			data->head.place, size, ptr);
	if (failed != 0)
		return aml__fail(AML_ENOMEM, "%s: no memory to note a split", data->head.place);
	failed = os__unmap_plain(ptr, size);
	if (failed == 0 && data->mode != OS_POLICY_DEFAULT)
		linux__note_return(data);
	if (failed == 0)
		return AML_SUCCESS;
	/* Too many mappings. The removal has left the memory that this takes. */
	ledger__set(&linux__ledger, start, end, LINUX_SEALED);
	return aml__fail(aml__code(failed), "%s: unmapping %zu bytes at %p: %s", data->head.place, size,
		ptr, os__strerror(failed));
}

int linux__check_ours(const struct aml_area_data *data, const void *ptr, size_t size)
{
	uintptr_t start = (uintptr_t)ptr;

	if (!ledger__covers(&linux__ledger, start, start + size))
		return aml__fail(AML_EINVAL, "%s: %zu bytes at %p are not what an area mapped",
			data->head.place, size, ptr);
	return AML_SUCCESS;
}

static int linux_purge(const struct aml_area_data *data, void *ptr, size_t size)
{
	int failed;

	if (linux__check_ours(data, ptr, size) != AML_SUCCESS)
		return -AML_EINVAL;
	failed = os__discard(ptr, size);
	if (__builtin_expect(failed != 0, 0))
		return aml__fail(aml__code(failed), "%s: purging %zu bytes at %p: %s", data->head.place,
			size, ptr, os__strerror(failed));
	return AML_SUCCESS;
}

int linux__roomiest(const struct os_nodes *nodes)
{
	int best = os__nodes_next(nodes, 0);
	size_t best_free = 0;

	if (os__nodes_count(nodes) == 1)
		return best;
	for (int node = best; node >= 0; node = os__nodes_next(nodes, node + 1)) {
		size_t total, free;

		if (os__node_memory(node, &total, &free) == 0 && free > best_free) {
			best = node;
			best_free = free;
		}
	}
	return best;
}

int linux__collapse(const struct aml_area_data *data, void *ptr, size_t size)
{
	int failed;

	if (linux__check_ours(data, ptr, size) != AML_SUCCESS)
		return -AML_EINVAL;
	failed = os__collapse(ptr, size);
	if (failed == -EINVAL)
		return aml__fail(AML_ENOTSUP, "%s: no huge page fits into %zu bytes at %p, or the kernel "
			"has no MADV_COLLAPSE", data->head.place, size, ptr);
	if (failed != 0)
		return aml__fail(aml__code(failed), "%s: collapsing %zu bytes at %p: %s", data->head.place,
			size, ptr, os__strerror(failed));
	return AML_SUCCESS;
}

int linux__info(const struct aml_area_data *data, struct aml_area_info *info)
{
	struct os_nodes nodes = data->mode == OS_POLICY_DEFAULT ? data->nodes : data->mode_nodes;
	size_t capacity = 0, available = 0;

	/* The ready-made area never asked which nodes there are. */
	if (os__nodes_count(&nodes) == 0)
		(void)os__nodes_allowed(&nodes);
	for (int node = os__nodes_next(&nodes, 0); node >= 0; node = os__nodes_next(&nodes, node + 1)) {
		size_t total, free;

		if (os__node_memory(node, &total, &free) != 0)
			continue;
		capacity += total;
		available += free;
	}
	info->page_size = data->page_size;
	info->flags = AML_AREA_HOST | AML_AREA_LAZY | AML_AREA_ZEROED | AML_AREA_PARTIAL;
	info->capacity = capacity;
	info->available = capacity == 0 ? SIZE_MAX : available;
	figures__fill(&nodes, info);
	return AML_SUCCESS;
}

const struct aml_area_ops linux__ops = {
	.mmap = linux_mmap,
	.munmap = linux__munmap,
	.fprintf = area__fprintf,
	.purge = linux_purge,
	.move = linux__move,
	.locate = linux__locate,
	.info = linux__info,
	.collapse = linux__collapse,
};

bool linux__is_plain(const struct aml_area *area)
{
	return area->ops == &linux__ops || area->ops == &strict__ops;
}

bool linux__is_anonymous(const struct aml_area *area)
{
	return area->ops != NULL && area->ops->munmap == linux__munmap;
}

int linux__rebind(const struct aml_area_data *data, void *ptr, size_t size)
{
	bool has_nodes = data->mode != OS_POLICY_DEFAULT && data->mode != OS_POLICY_LOCAL;
	int advice = thp_advice(data);

	/* Advice that was given cannot be taken back, only turned around, and kernels without
	   transparent huge pages refuse it: it is not what the range is moved for. */
	if (advice != 0 && data->page_size == os__page_size())
		(void)os__advise_huge(ptr, size, advice > 0);
	return os__bind(ptr, size, data->mode, has_nodes ? &data->mode_nodes : NULL, false);
}

static struct aml_area_data linux_data = {.head = {.place = "anon"}};

const struct aml_area aml_area_linux = {&linux__ops, &linux_data};

__attribute__((constructor)) static void prepare_ready_made(void)
{
	linux_data.page_size = os__page_size();
	ledger__watch(&linux__ledger);
}

static int set_thp(struct aml_area_data *data, int thp)
{
	int failed;

	data->nothp = thp < 0;
	if (thp <= 0)
		return AML_SUCCESS;
	failed = os__read_huge_page_size(&data->huge_size);
	if (failed == -ENOENT)
		return aml__fail(AML_ENOTSUP, "thp: this kernel has no transparent huge pages");
	if (failed != 0)
		return aml__fail(aml__code(failed), "thp: asking the kernel for the size of huge pages: %s",
			os__strerror(failed));
	return AML_SUCCESS;
}

static const struct aml_area_ops *ops_of(const struct aml_area_data *data)
{
	if (data->policy != AML_AREA_LINUX_POLICY_STRICT)
		return &linux__ops;
	return data->huge_size != 0 ? &strict__huge_ops : &strict__ops;
}

static int create(struct aml_area **area, const struct area_options *options, const char *name)
{
	struct aml_area_data data = {.page_size = os__page_size()};
	char text[LINUX_DESCRIPTION_SIZE];
	struct aml_area *a;
	int failed = linux__choose(&data, options);

	if (failed == AML_SUCCESS)
		failed = set_thp(&data, options->thp);
	if (failed != AML_SUCCESS)
		return failed;
	data.populate = options->populate;
	linux__describe(&data, name, text, sizeof(text));
	a = area__new(ops_of(&data), sizeof(data), options->place != NULL ? options->place : text, area__free);
	if (a == NULL)
		return aml__fail(AML_ENOMEM, "no memory for an area");
	data.head = a->data->head;
	*a->data = data;
	return limit__wrap(area, a, options->limit);
}

int area__linux_create(struct aml_area **area, const struct area_options *options)
{
	static const struct area_options none;

	if (area == NULL)
		return aml__fail(AML_EINVAL, "there is nowhere to put the area");
	return create(area, options == NULL ? &none : options, NULL);
}

int area__anon_create(struct aml_area **area, const struct area_options *options)
{
	static const struct area_options none;

	if (area == NULL)
		return aml__fail(AML_EINVAL, "there is nowhere to put the area");
	if (options == NULL)
		options = &none;
	if (options->nodes != NULL || options->policy != AML_AREA_LINUX_POLICY_DEFAULT)
		return aml__fail(AML_EINVAL, "anon is memory without nodes or a policy");
	return create(area, options, "anon");
}

int aml_area_linux_create(struct aml_area **area, const struct bitmask *nodes,
	enum aml_area_linux_policy policy)
{
	struct area_options options = {.nodes = nodes, .policy = policy};

	return area__linux_create(area, &options);
}

void aml_area_linux_destroy(struct aml_area **area)
{
	area__destroy(area);
}
