/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hooks.c - jemalloc's extent hooks as a thin skin over a space.
 *
 * "true is failure" ends here, and errno is left to the caller of malloc. Ranges that the space does not know
 * (extents from before the hooks were set on an existing arena) are refused wherever a refusal is allowed.
 *
 * After fork the child resets the locks of all spaces: see fork.c.
 */
#include "hooks/hooks.h"

#include <errno.h>
#include <jemalloc/jemalloc.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/shared_pool.h"
#include "hooks/config.h"
#include "hooks/fork.h"
#include "hooks/rtree_gate.h"

struct hooks {
	extent_hooks_t table; /* first: jemalloc hands its address back to us */
	struct space space;
	struct fork_watch watch;
};

static struct space *space_of(extent_hooks_t *table)
{
	return &((struct hooks *)(void *)table)->space;
}

static void *hook_alloc(extent_hooks_t *table, void *want, size_t size, size_t alignment, bool *zero,
	bool *commit, unsigned arena)
{
	int err = errno;
	void *start;

	(void)arena;
	/*
	 * Uncommitted space is what jemalloc asks for when it wants to grow ahead. It merges nothing across
	 * what it got in one piece, so blocks can grow in place only if pieces are large; but what it does
	 * not use it retains until the arena goes. Refused, it asks for exactly what it needs.
	 */
	if (!*commit && !space__may_grow_ahead(space_of(table), size))
		return NULL;
	start = space__alloc(space_of(table), want, size, alignment, zero);
	if (start != NULL && !rtree_gate__pass(start, size)) {
		(void)space__free(space_of(table), start, size);
		start = NULL;
	}
	if (start != NULL)
		*commit = true;
	errno = err;
	return start;
}

/*
 * What jemalloc can do without is no failure to whoever called it: all but alloc leave errno and the
 * words of the last failure as they were.
 */
static int before(void)
{
	error__keep();
	return errno;
}

static bool after(int err, bool refused)
{
	error__settle(true);
	errno = err;
	return refused;
}

static bool hook_dalloc(extent_hooks_t *table, void *start, size_t size, bool committed,
	unsigned arena)
{
	struct space *space = space_of(table);
	int err = before();
	bool refused = !space__holds(space, start, size) || space__free(space, start, size) != 0;

	(void)committed, (void)arena;
	return after(err, refused);
}

static void hook_destroy(extent_hooks_t *table, void *start, size_t size, bool committed,
	unsigned arena)
{
	(void)hook_dalloc(table, start, size, committed, arena);
}

/* Nothing is ever handed out uncommitted, so there is nothing to do. */
static bool hook_commit(extent_hooks_t *table, void *start, size_t size, size_t offset, size_t length,
	unsigned arena)
{
	(void)table, (void)start, (void)size, (void)offset, (void)length, (void)arena;
	return false;
}

/* Space goes back by dalloc; an extent that jemalloc keeps stays committed. */
static bool hook_decommit(extent_hooks_t *table, void *start, size_t size, size_t offset,
	size_t length, unsigned arena)
{
	(void)table, (void)start, (void)size, (void)offset, (void)length, (void)arena;
	return true;
}

static bool hook_purge_forced(extent_hooks_t *table, void *start, size_t size, size_t offset,
	size_t length, unsigned arena)
{
	struct space *space = space_of(table);
	char *from = (char *)start + offset;
	int err = before();

	(void)size, (void)arena;
	return after(err, !space__holds(space, from, length) || space__purge(space, from, length) != 0);
}

static bool hook_split(extent_hooks_t *table, void *start, size_t size, size_t head, size_t tail,
	bool committed, unsigned arena)
{
	int err = before();

	(void)size, (void)committed, (void)arena;
	space__split(space_of(table), start, head, tail);
	return after(err, false);
}

static bool hook_merge(extent_hooks_t *table, void *head, size_t head_size, void *tail,
	size_t tail_size, bool committed, unsigned arena)
{
	int err = before();

	(void)tail, (void)committed, (void)arena;
	return after(err, space__merge(space_of(table), head, head_size, tail_size) != 0);
}

/* purge_lazy is left out: a lazily purged page reads as it likes, and strict areas must not have it. */
static const extent_hooks_t hook_table = {
	.alloc = hook_alloc,
	.dalloc = hook_dalloc,
	.destroy = hook_destroy,
	.commit = hook_commit,
	.decommit = hook_decommit,
	.purge_lazy = NULL,
	.purge_forced = hook_purge_forced,
	.split = hook_split,
	.merge = hook_merge,
};

/* Hooks are made inside malloc, when a thread meets a CPU that has no arena yet. */
static struct shared_pool pool = SHARED_POOL(struct hooks);

int hooks__create(struct hooks **hooks, const struct aml_area *area, uint32_t word,
	struct space_account *account)
{
	struct hooks *made = shared_pool__get(&pool);
	int err;

	if (made == NULL)
		return error__set(ENOMEM, "no memory for extent hooks");
	made->table = hook_table;
	err = space__init(&made->space, area, word, account);
	if (err != 0) {
		shared_pool__put(&pool, made);
		return err;
	}
	fork__watch(&made->watch, &made->space);
	*hooks = made;
	return 0;
}

int hooks__destroy(struct hooks *hooks)
{
	int err;

	fork__unwatch(&hooks->watch);
	err = space__destroy(&hooks->space);
	if (err == 0)
		shared_pool__put(&pool, hooks);
	else
		fork__watch(&hooks->watch, &hooks->space);
	return err;
}

struct space *hooks__space(struct hooks *hooks)
{
	return &hooks->space;
}

struct extent_hooks_s *hooks__table(struct hooks *hooks)
{
	return &hooks->table;
}

/* Hooks that stand alone */

int hooks__open(struct situs_hooks **hooks, const struct aml_area *area,
	const struct situs_config *settings, bool is_arena)
{
	struct situs_hooks *made = calloc(1, sizeof(*made));
	int err;

	if (made == NULL)
		return error__set(ENOMEM, "no memory for extent hooks");
	made->owner.area = area;
	made->owner.is_arena = is_arena;
	made->account.limit = settings->limit;
	err = owner__register(&made->owner);
	if (err != 0)
		goto free_made;
	err = hooks__create(&made->hooks, area, owner__word(&made->owner, OWNER_PAGES), &made->account);
	if (err != 0)
		goto unregister;
	*hooks = made;
	return 0;
unregister:
	owner__unregister(&made->owner);
free_made:
	free(made);
	return err;
}

int hooks__close(struct situs_hooks *hooks)
{
	int err = hooks__destroy(hooks->hooks);

	if (err != 0)
		return err;
	owner__unregister(&hooks->owner);
	free(hooks);
	return 0;
}

/* Public: hooks for any jemalloc */

int situs_hooks_create(situs_hooks_t **hooks, const struct aml_area *area,
	const struct situs_config *config)
{
	struct situs_config settings;
	int err;

	if (hooks == NULL || area == NULL)
		return error__set(EINVAL, "situs_hooks_create: %s is NULL", hooks == NULL ? "hooks" : "area");
	err = config__read(config, &settings);
	return err != 0 ? err : hooks__open(hooks, area, &settings, false);
}

struct extent_hooks_s *situs_hooks_extent_hooks(situs_hooks_t *hooks)
{
	return hooks == NULL ? NULL : hooks__table(hooks->hooks);
}

int situs_hooks_destroy(situs_hooks_t *hooks)
{
	if (hooks == NULL)
		return 0;

	size_t out = space__size_out(hooks__space(hooks->hooks));

	if (out != 0)
		return error__set(EBUSY, "jemalloc still holds %zu bytes through these hooks: destroy the arena first",
			out);
	return hooks__close(hooks);
}
