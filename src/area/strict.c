/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * strict.c - the right nodes or NULL, and never the kernel's OOM killer.
 *
 * Under a plain bind the kernel kills a process when the nodes run full at first touch. Here pages
 * are made present under PREFERRED, which spills instead of killing; then the kernel is asked where
 * they are, stragglers are moved once, and what still lies elsewhere is given back and refused. Steps
 * are small, so that a full node costs its neighbours little for a moment; before each step the
 * machine as a whole must have room (room.h), because PREFERRED kills when every node is full.
 *
 * mmap seals what it filled with BIND: present pages stay, and no later fault can go astray. reserve
 * gives address space that stays under PREFERRED: commit (strict_commit.c) fills it, decommit empties it. It is never
 * sealed, since a seal a commit would cost a kernel mapping an alternation; pages under PREFERRED
 * are not moved by automatic NUMA balancing.
 *
 * Transparent huge pages are forbidden here; strict_huge.c has the areas whose place says `thp'.
 *
 * What remains, for both: pages that were swapped out, and
 * (sealed) copies that writing after a fork makes, are the kernel's to place.
 *
 * Failure leaves the range without pages, under the policy it had. No locks of its own.
 */
#include "area/linux.h"
#include "area/room.h"

enum { N_ASKED = 256 };

/* The page's node as the kernel told it: is that home? */
static bool is_home(const struct aml_area_data *data, int node)
{
	return node >= 0 && os__nodes_has(&data->nodes, node);
}

static size_t free_at_home(const struct aml_area_data *data)
{
	size_t sum = 0;

	for (int node = os__nodes_next(&data->nodes, 0); node >= 0;
		node = os__nodes_next(&data->nodes, node + 1)) {
		size_t total, free;

		if (os__node_memory(node, &total, &free) == 0)
			sum += free;
	}
	return sum;
}

int strict__refuse(const struct aml_area_data *data, size_t asked)
{
	char list[64];

	os__nodes_text(&data->nodes, list, sizeof(list));
	return aml__fail(AML_ENOMEM, "%s: node %s is full: %s asked, %s left", data->head.place, list,
		linux__size(asked).text, linux__size(free_at_home(data)).text);
}

/* Moves those of n pages home that are not there. True: all are home now. */
static bool move_home(const struct aml_area_data *data, void **pages, int *nodes, size_t n)
{
	int to[N_ASKED];
	size_t n_astray = 0;

	for (size_t i = 0; i < n; i++)
		if (!is_home(data, nodes[i]))
			pages[n_astray++] = pages[i];
	if (n_astray == 0)
		return true;

	int home = linux__roomiest(&data->nodes);

	for (size_t i = 0; i < n_astray; i++)
		to[i] = home;
	if (os__move(pages, n_astray, to, nodes) < 0 || os__where(pages, n_astray, nodes) != 0)
		return false;
	for (size_t i = 0; i < n_astray; i++)
		if (!is_home(data, nodes[i]))
			return false;
	return true;
}

int strict__bring_home(const struct aml_area_data *data, char *ptr, char *end, size_t stride, size_t asked)
{
	void *pages[N_ASKED];
	int nodes[N_ASKED];

	while (ptr < end) {
		size_t n = 0;
		int failed;

		for (; n < N_ASKED && ptr < end; ptr += stride)
			pages[n++] = ptr;
		failed = linux__ask(data, pages, n, nodes);
		if (failed != AML_SUCCESS)
			return failed;
		if (!move_home(data, pages, nodes, n))
			return strict__refuse(data, asked);
	}
	return AML_SUCCESS;
}

static int bring_step_home(const struct aml_area_data *data, char *ptr, size_t size, size_t asked)
{
	return strict__bring_home(data, ptr, ptr + size, data->page_size, asked);
}

struct fill {
	const struct aml_area_data *data;
	char *start;
	size_t size;
	strict_step_func *bring_home;
};

static int fill_step(void *arg, size_t at, size_t size)
{
	const struct fill *fill = arg;
	int failed = os__populate(fill->start + at, size);

	if (failed != 0)
		return aml__fail(AML_ENOMEM, "%s: no pages for %s: %s", fill->data->head.place,
			linux__size(fill->size).text, os__strerror(failed));
	return fill->bring_home(fill->data, fill->start + at, size, fill->size);
}

int strict__fill_by(const struct aml_area_data *data, void *start, size_t size, strict_step_func *bring_home)
{
	struct fill fill = {data, start, size, bring_home};

	return room__fill(data->head.place, size, data->huge_size != 0 ? data->huge_size : data->page_size,
		fill_step, &fill);
}

int strict__fill(const struct aml_area_data *data, void *start, size_t size)
{
	return strict__fill_by(data, start, size, bring_step_home);
}

int strict__fill_booked(const struct aml_area_data *data, void *start, size_t size)
{
	struct fill fill = {data, start, size, bring_step_home};

	return fill_step(&fill, 0, size);
}

int strict__explain(const struct aml_area_data *data, size_t asked, int failed)
{
	if (failed == -AML_ENOMEM && room__check(data->head.place, asked) == AML_SUCCESS &&
		free_at_home(data) < asked)
		return strict__refuse(data, asked);
	return failed;
}

int strict__seal(const struct aml_area_data *data, void *ptr, size_t size)
{
	int failed = os__bind(ptr, size, OS_POLICY_BIND, &data->nodes, false);

	if (linux__may_not(failed, "mbind", data->head.place))
		return -AML_EPERM;
	if (failed != 0)
		return aml__fail(aml__code(failed), "%s: sealing %s: %s", data->head.place,
			linux__size(size).text, os__strerror(failed));
	return AML_SUCCESS;
}

static bool round_size(const struct aml_area_data *data, size_t *size)
{
	if (area__round(*size, data->page_size, size))
		return true;
	aml__fail(AML_ENOMEM, "%s: the size overflows when rounded to pages", data->head.place);
	return false;
}

void *strict__finish(const struct aml_area_data *data, void *p, size_t size, int failed)
{
	if (failed == AML_SUCCESS)
		failed = strict__seal(data, p, size);
	if (failed == AML_SUCCESS)
		return p;
	linux__unreserve(p, size);
	strict__explain(data, size, failed);
	return NULL;
}

static void *strict_mmap(const struct aml_area_data *data, void **ptr, size_t size)
{
	void *p;

	if (!round_size(data, &size))
		return NULL;
	p = linux__reserve(data, area__hint(ptr), size, LINUX_SEALED);
	if (p == NULL)
		return NULL;
	return strict__finish(data, p, size, strict__fill(data, p, size));
}

static void *strict_reserve(const struct aml_area_data *data, void **ptr, size_t size)
{
	return round_size(data, &size) ? linux__reserve(data, area__hint(ptr), size, LINUX_PLAIN) : NULL;
}

static int strict_decommit(const struct aml_area_data *data, void *ptr, size_t size)
{
	int failed;

	if (linux__check_ours(data, ptr, size) != AML_SUCCESS)
		return -AML_EINVAL;
	failed = os__discard(ptr, size);
	if (failed != 0)
		return aml__fail(aml__code(failed), "%s: giving back %s at %p: %s", data->head.place,
			linux__size(size).text, ptr, os__strerror(failed));
	linux__note_return(data);
	return AML_SUCCESS;
}

int strict__move(const struct aml_area_data *data, void *ptr, size_t size)
{
	int failed = linux__move(data, ptr, size);

	/* As for memory of our own; refused by kernels that have none. */
	if (failed == AML_SUCCESS && data->huge_size == 0)
		(void)os__advise_huge(ptr, size, false);
	return failed;
}

static int strict_info(const struct aml_area_data *data, struct aml_area_info *info)
{
	int failed = linux__info(data, info);

	info->flags |= AML_AREA_COMMIT;
	return failed;
}

const struct aml_area_ops strict__ops = {
	.mmap = strict_mmap,
	.munmap = linux__munmap,
	.fprintf = area__fprintf,
	.commit = strict__commit,
	.decommit = strict_decommit,
	.move = strict__move,
	.locate = linux__locate,
	.info = strict_info,
	.reserve = strict_reserve,
	.collapse = linux__collapse,
};
