/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * amm_model.c - see amm_model.h.
 *
 * Linked with --wrap for malloc, pool__get and pool__reserve, so that the map's own entries and the index's
 * memory can fail like the entries of callbacks.
 */
#include "tests/property/amm_model.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "amm.h"
#include "base/pool.h"

enum {
	WIDTH = 192,         /* addresses in the window */
	OUTSIDE = (int)0x80000100, /* flags of everything else: reserved, and a bit of its own */
	MAGIC = 0x5157,
	/* styles: the callback is NULL */
	PLAIN_SPLIT = 0x30,
	PLAIN_JOIN = 0xc0,
};

struct tagged {
	amm_entry_t entry; /* first */
	int magic;
	amm_addr_t from; /* what it carries: where it starts, if callbacks and map agree */
};

/* The world: one map, one model, one program. */
static struct {
	const uint8_t *bytes, *bytes_end;
	amm_t map;
	amm_addr_t base; /* of the window */
	unsigned options;
	bool callbacks;  /* entries of the caller's: alloc and free, and of the others those in styles */
	uint8_t refusal; /* which joins are refused */
	uint8_t styles;  /* what split and join make of their arguments; PLAIN_SPLIT, PLAIN_JOIN */
	long allowance;  /* allocations until one fails; negative: none fails */
	bool planted;    /* one has failed */
	size_t n_splits; /* since the operation began; plain ones allocate their piece, as */
	bool makes_one;  /* the operation does a new entry, before that */
	size_t n_live;   /* entries out */
	int tags[WIDTH];
	bool cut[WIDTH + 1]; /* an entry starts here */
} w;

size_t amm_model_n_operations, amm_model_n_failures;

#define CHECK(condition, ...) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #condition); \
			fprintf(stderr, __VA_ARGS__); \
			fputc('\n', stderr); \
			abort(); \
		} \
	} while (0)

static uint8_t byte(void)
{
	return w.bytes < w.bytes_end ? *w.bytes++ : 0;
}

/* Planted failures */

static bool may_allocate(void)
{
	if (w.allowance < 0)
		return true;
	if (w.allowance-- > 0)
		return true;
	w.allowance = 0;
	w.planted = true;
	return false;
}

int __real_pool__reserve(struct pool *pool, size_t n);
int __wrap_pool__reserve(struct pool *pool, size_t n);

int __wrap_pool__reserve(struct pool *pool, size_t n)
{
	return may_allocate() ? __real_pool__reserve(pool, n) : -ENOMEM;
}

/* Entries that the map makes for itself: nothing else here has their size. */
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);

void *__wrap_malloc(size_t size)
{
	return size != sizeof(amm_entry_t) || may_allocate() ? __real_malloc(size) : NULL;
}

void *__real_pool__get(struct pool *pool);
void *__wrap_pool__get(struct pool *pool);

void *__wrap_pool__get(struct pool *pool)
{
	return pool->object_size != sizeof(amm_entry_t) || may_allocate() ? __real_pool__get(pool) : NULL;
}

/* Callbacks */

_Static_assert(sizeof(struct tagged) != sizeof(amm_entry_t), "what callbacks make is counted there");

static amm_entry_t *new_entry(amm_addr_t from)
{
	struct tagged *t = malloc(sizeof(*t));

	CHECK(t != NULL, "the test itself ran out of memory");
	memset(t, 0xa5, sizeof(*t));
	t->magic = MAGIC;
	t->from = from;
	w.n_live++;
	return &t->entry;
}

static amm_entry_t *entry_alloc(amm_t *amm, amm_addr_t addr, amm_size_t size, int flags)
{
	(void)flags;
	CHECK(amm == &w.map && size > 0 && size <= AMM_MAXADDR - addr, "alloc callback");
	if (!may_allocate())
		return NULL;
	if (!w.makes_one)
		w.n_splits++;
	w.makes_one = false;
	return new_entry(addr);
}

static amm_addr_t from_of(const amm_entry_t *entry)
{
	return ((const struct tagged *)entry)->from;
}

static void entry_free(amm_t *amm, amm_entry_t *entry)
{
	struct tagged *t = (struct tagged *)entry;

	CHECK(amm == &w.map && t->magic == MAGIC, "freed twice, or never an entry");
	CHECK(entry->start < entry->end, "the range is not readable in free");
	t->magic = 0;
	w.n_live--;
	free(t);
}

static int entry_split(amm_t *amm, amm_entry_t *entry, amm_addr_t at, amm_entry_t **head,
	amm_entry_t **tail)
{
	CHECK(amm == &w.map && entry->start < at && at < entry->end, "split callback");
	if (!may_allocate())
		return at % 2 == 0 ? ENOMEM : ENOSPC;
	switch (w.styles & 3) {
	case 0:
		*head = new_entry(from_of(entry));
		*tail = entry;
		break;
	case 1:
		*head = new_entry(from_of(entry));
		*tail = new_entry(at);
		break;
	default:
		*head = entry;
		*tail = new_entry(at);
		break;
	}
	((struct tagged *)*tail)->from = at;
	w.n_splits++;
	return 0;
}

static bool has_split(void)
{
	return w.callbacks && (w.styles & PLAIN_SPLIT) != PLAIN_SPLIT;
}

static bool has_join(void)
{
	return w.callbacks && (w.styles & PLAIN_JOIN) != PLAIN_JOIN;
}

static bool refused(unsigned cell)
{
	return has_join() && w.refusal != 0 && (cell * 2654435761u >> 24) % 8 < w.refusal % 8;
}

static int entry_join(amm_t *amm, amm_entry_t *head, amm_entry_t *tail, amm_entry_t **joined)
{
	CHECK(amm == &w.map && head->end == tail->start && head->flags == tail->flags,
		"join callback");
	if (refused((unsigned)(head->end - w.base)))
		return EBUSY;
	switch (w.styles >> 2 & 3) {
	case 0:
		*joined = tail;
		break;
	case 1:
		*joined = new_entry(0);
		break;
	default:
		*joined = head;
		break;
	}
	((struct tagged *)*joined)->from = from_of(head);
	return 0;
}

/* Comparing */

struct position {
	unsigned cell;
	size_t n_entries;
};

static void expect_entry(amm_addr_t start, amm_addr_t end, int flags, struct position *p)
{
	p->n_entries++;
	if (start < w.base || start - w.base >= WIDTH) {
		CHECK(flags == OUTSIDE, "flags outside are %#x", (unsigned)flags);
		return;
	}
	CHECK(start - w.base == p->cell, "an entry starts at %zu, not %u", (size_t)(start - w.base),
		p->cell);
	CHECK(end - w.base <= WIDTH, "an entry reaches out of the window");
	for (; p->cell < end - w.base; p->cell++) {
		CHECK(w.tags[p->cell] == flags, "flags at %u are %#x, not %#x", p->cell,
			(unsigned)flags, (unsigned)w.tags[p->cell]);
		CHECK(w.cut[p->cell] == (w.base + p->cell == start), "at %u: cut %d in the model",
			p->cell, w.cut[p->cell]);
	}
}

static int compare_entry(amm_t *amm, amm_entry_t *entry, void *arg)
{
	(void)amm;
	if (has_split() && has_join())
		CHECK(from_of(entry) == amm_entry_start(entry), "an entry carries another's");
	expect_entry(amm_entry_start(entry), amm_entry_end(entry), amm_entry_flags(entry), arg);
	return 0;
}

static int compare_range(const struct amm_range *range, void *arg)
{
	expect_entry(range->start, range->end, range->flags, arg);
	return 0;
}

static void compare(void)
{
	struct position p = {0, 0};
	long allowance = w.allowance;

	w.allowance = -1;
	CHECK(amm_check(&w.map) == 0, "amm_check");
	CHECK(amm_iterate(&w.map, compare_entry, &p) == 0, "iterate");
	CHECK(p.cell == WIDTH && p.n_entries == amm_count(&w.map), "count is %zu, entries are %zu",
		amm_count(&w.map), p.n_entries);
	if (w.options & AMM_READERS) {
		p = (struct position){0, 0};
		amm_read_iterate(&w.map, compare_range, &p, AMM_MINADDR,
			AMM_MAXADDR - AMM_MINADDR, 0, 0);
		CHECK(p.cell == WIDTH && p.n_entries == amm_count(&w.map), "readers differ");
	}
	if (w.callbacks)
		CHECK(w.n_live == amm_count(&w.map), "%zu entries out, %zu in the map", w.n_live,
			amm_count(&w.map));
	w.allowance = allowance;
}

/* The model's operations */

static bool joins(unsigned cell)
{
	return cell > 0 && cell < WIDTH && w.tags[cell - 1] == w.tags[cell] && !refused(cell);
}

static void model_modify(unsigned a, unsigned b, int flags)
{
	for (unsigned i = a; i < b; i++) {
		w.tags[i] = flags;
		w.cut[i] = i == a;
	}
	w.cut[b] = !joins(b);
	w.cut[a] = !joins(a);
}

static unsigned entry_end(unsigned cell)
{
	do
		cell++;
	while (!w.cut[cell]);
	return cell;
}

static unsigned entry_start(unsigned cell)
{
	while (!w.cut[cell])
		cell--;
	return cell;
}

static bool wants_change(unsigned cell, int flags)
{
	return (w.tags[cell] & AMM_ALLOCATED) != 0 && w.tags[cell] != flags;
}

static void model_change_allocated(unsigned a, unsigned b, int flags)
{
	if (wants_change(a, flags))
		w.cut[a] = true;
	if (wants_change(b - 1, flags))
		w.cut[b] = true;
	for (unsigned cell = a; cell < b;) {
		unsigned end = entry_end(cell);

		if (wants_change(cell, flags)) {
			unsigned next = end < WIDTH && w.tags[end] == flags && !refused(end)
						? entry_end(end)
						: end;

			for (unsigned i = cell; i < end; i++)
				w.tags[i] = flags;
			w.cut[cell] = !joins(cell);
			w.cut[end] = !joins(end);
			end = next;
		}
		cell = end;
	}
}

/* After a failure: a split that could not be undone is all that may have changed. */
static void model_failure(unsigned a)
{
	CHECK(w.planted, "failed without a reason");
	CHECK(w.n_splits <= 1, "two splits and yet a failure");
	if (w.n_splits == 1 && refused(a))
		w.cut[a] = true;
	amm_model_n_failures++;
}

static const int flag_words[] = {AMM_FREE, AMM_ALLOCATED, AMM_ALLOCATED | 1, AMM_ALLOCATED | 3,
	AMM_RESERVED, 1, 2, 3};

static int pick_flags(uint8_t b)
{
	return flag_words[b % 8];
}

static void pick_range(unsigned *a, unsigned *b)
{
	unsigned x = byte() % WIDTH, n = byte();

	n = n < 128 ? n % 8 : n % WIDTH;
	*a = x;
	*b = x + 1 + n > WIDTH ? WIDTH : x + 1 + n;
}

struct operation {
	int kind;
	unsigned a, b;
	int flags;
	int how;
};

static int run_modify(const struct operation *op)
{
	amm_entry_t *entry = NULL;
	bool noop = w.tags[op->a] == op->flags && entry_end(op->a) >= op->b;

	w.makes_one = op->how % 3 == 0 || (op->how % 3 == 1 && !w.callbacks);
	if (op->how % 3 == 1 && w.callbacks)
		entry = new_entry(w.base + op->a);
	else if (op->how % 3 == 2) /* one that is there, or reaches in from either side */
		entry = amm_find_addr(&w.map, w.base + op->a + (unsigned)op->how / 3 % (op->b - op->a));

	int err = amm_modify(&w.map, w.base + op->a, op->b - op->a, op->flags, entry);

	if (err == 0 && !(noop && entry == NULL))
		model_modify(op->a, op->b, op->flags);
	if (err == 0 && w.callbacks) {
		/* What the new entry carries is up to who made it the new one. */
		entry = amm_find_addr(&w.map, w.base + op->a);
		((struct tagged *)entry)->from = amm_entry_start(entry);
	}
	if (err != 0) {
		if (op->how % 3 == 1 && w.callbacks) {
			w.n_live--;
			free(entry);
		}
		model_failure(op->a);
	}
	return err;
}

static int run_select(const struct operation *op)
{
	amm_entry_t *entry = amm_select(&w.map, w.base + op->a, op->b - op->a);

	if (entry == NULL) {
		model_failure(op->a);
		return errno;
	}
	CHECK(amm_entry_start(entry) == w.base + op->a, "select returned another entry");
	w.cut[op->a] = true;
	w.cut[op->b] = true;
	return 0;
}

static bool all_free(unsigned a, unsigned n)
{
	if (a + n > WIDTH)
		return false;
	for (unsigned i = a; i < a + n; i++)
		if (w.tags[i] != AMM_FREE)
			return false;
	return true;
}

static int run_allocate(const struct operation *op)
{
	amm_addr_t addr = w.base + op->a;
	unsigned n = op->b - op->a, x = op->a;

	w.makes_one = true;
	while (x < WIDTH && !all_free(x, n))
		x++;
	if (x == WIDTH)
		for (x = 0; x < WIDTH && !all_free(x, n);)
			x++;

	int err = amm_allocate(&w.map, &addr, n, op->how & 3);

	if (err != 0) {
		CHECK(addr == w.base + op->a, "failed, and the address changed");
		if (x == WIDTH) {
			CHECK(err == ENOMEM, "no room is error %d", err);
			return 0;
		}
		model_failure(x);
		return err;
	}
	CHECK(x < WIDTH && addr == w.base + x, "allocated at %zu, not %u", (size_t)(addr - w.base), x);
	model_modify(x, x + n, AMM_ALLOCATED | (op->how & 3));
	return 0;
}

static int run_change_allocated(const struct operation *op, int flags)
{
	amm_addr_t addr = w.base + op->a;
	int err = flags == AMM_FREE ? amm_deallocate(&w.map, addr, op->b - op->a)
				    : amm_protect(&w.map, addr, op->b - op->a,
						flags & ~AMM_ALLOCATED);

	if (err != 0)
		model_failure(op->a);
	else
		model_change_allocated(op->a, op->b, flags);
	return err;
}

static bool matches(unsigned cell, int flags, int mask)
{
	return (w.tags[cell] & mask) == flags;
}

/* Iteration whose callback gives every entry it meets new flags, keeping it the entry it is. */
struct visit {
	int flags;
	unsigned n, starts[WIDTH + 2];
};

static int visit_and_modify(amm_t *amm, amm_entry_t *entry, void *arg)
{
	struct visit *v = arg;

	v->starts[v->n++] = (unsigned)(amm_entry_start(entry) - w.base);
	if (v->flags < 0 || v->n > WIDTH)
		return v->n > WIDTH;
	CHECK(amm_modify(amm, amm_entry_start(entry), amm_entry_size(entry), v->flags, entry) == 0,
		"modify in an iteration");
	return 0;
}

static void run_iterate(const struct operation *op)
{
	int mask = op->how & 1 ? 0x40000003 : 0x40000000;
	int wanted = op->flags & mask;
	struct visit v = {.flags = op->how & 2 ? pick_flags((uint8_t)(op->how >> 2)) : -1};

	if (v.flags == AMM_RESERVED)
		v.flags = 1;

	unsigned n = 0;
	int result = amm_iterate_gen(&w.map, visit_and_modify, &v, w.base + op->a, op->b - op->a,
		wanted, mask);

	CHECK(result == 0, "iteration returned %d", result);
	for (unsigned cell = op->a; cell < op->b;) {
		unsigned start = entry_start(cell), end = entry_end(cell);

		if (matches(cell, wanted, mask)) {
			CHECK(n < v.n && v.starts[n] == start, "visit %u is not of %u", n, start);
			n++;
			if (v.flags >= 0)
				model_modify(start, end, v.flags);
		}
		cell = end;
	}
	CHECK(n == v.n, "%u visits, not %u", v.n, n);
}

/* Finding, by trying every address */

static unsigned run_of(unsigned cell, int flags, int mask)
{
	unsigned a = cell, b = cell;

	while (a > 0 && matches(a - 1, flags, mask))
		a--;
	while (b < WIDTH && matches(b, flags, mask))
		b++;
	return b - a;
}

static void run_find(const struct operation *op)
{
	static const int masks[] = {-1, -1, AMM_ALLOCATED | AMM_RESERVED, AMM_RESERVED | 1,
		AMM_RESERVED | 2};
	int mask = masks[op->how % 5] | 0x100, flags = op->flags & mask;
	int find_flags = byte() % 8, bits = byte() % 6;
	amm_addr_t off = byte(), align = ((amm_addr_t)1 << bits) - 1;
	unsigned hint = op->a, size = op->b - op->a;
	long best = -1;

	for (unsigned i = 0; i < WIDTH; i++) {
		unsigned x = find_flags & AMM_BACKWARD ? WIDTH - 1 - i : i;

		if (find_flags & AMM_EXACT_ADDR ? x != hint
						: find_flags & AMM_BACKWARD ? x > hint : x < hint)
			continue;
		if (((w.base + x) & align) != (off & align) || x + size > WIDTH)
			continue;

		bool ok = true;

		for (unsigned k = x; k < x + size && ok; k++)
			ok = matches(k, flags, mask);
		if (!ok)
			continue;
		if (best < 0 || (find_flags & AMM_BESTFIT && !(find_flags & AMM_EXACT_ADDR) &&
				      run_of(x, flags, mask) < run_of((unsigned)best, flags, mask)))
			best = x;
	}

	amm_addr_t addr = w.base + hint;
	amm_entry_t *entry = amm_find_gen(&w.map, &addr, size, flags, mask, bits, off, find_flags);

	if (best < 0) {
		CHECK(entry == NULL && addr == w.base + hint && errno != 0, "found %zu, not nothing",
			(size_t)(addr - w.base));
	} else {
		CHECK(entry != NULL && addr == w.base + (unsigned)best,
			"find %d size %u hint %u: %zu, not %ld", find_flags, size, hint,
			(size_t)(addr - w.base), best);
		CHECK(entry == amm_find_addr(&w.map, addr) && amm_entry_start(entry) <= addr &&
				addr < amm_entry_end(entry), "another entry");
	}
}

static void run_read(const struct operation *op)
{
	struct amm_range range;

	if (op->how % 4 == 0 && (w.options & (AMM_READERS | AMM_FORK)))
		CHECK(amm_after_fork(&w.map) == 0, "after fork");
	if (!(w.options & AMM_READERS)) {
		CHECK(amm_read(&w.map, w.base, &range, NULL, NULL) == EINVAL, "read a plain map");
		return;
	}
	CHECK(amm_read(&w.map, w.base + op->a, &range, NULL, NULL) == 0, "read");
	CHECK(range.start == w.base + entry_start(op->a) && range.end == w.base + entry_end(op->a) &&
			range.flags == w.tags[op->a] &&
			range.entry == amm_find_addr(&w.map, w.base + op->a), "read another range");
}

static int run(const struct operation *op)
{
	w.n_splits = 0;
	w.makes_one = false;
	w.planted = false;
	amm_model_n_operations++;
	switch (op->kind) {
	case 0:
	case 1:
	case 2:
		return run_modify(op);
	case 3:
		return run_select(op);
	case 4:
		return run_allocate(op);
	case 5:
		return run_change_allocated(op, AMM_FREE);
	case 6:
		return run_change_allocated(op, AMM_ALLOCATED | (op->how & 3));
	case 7:
		w.allowance = -1;
		run_iterate(op);
		return 0;
	case 8:
		run_read(op);
		return 0;
	default:
		run_find(op);
		return 0;
	}
}

/* Runs an operation with its first allocation failing, then its second, until it does not fail. */
static void run_with_failures(const struct operation *op)
{
	for (long k = 0;; k++) {
		const uint8_t *bytes = w.bytes;

		w.allowance = k;
		bool failed = run(op) != 0;

		w.allowance = -1;
		compare();
		if (!failed)
			return;
		w.bytes = bytes;
		CHECK(k < 4 * WIDTH, "fails for ever");
	}
}

static void make_map(void)
{
	uint8_t how = byte();
	static const amm_addr_t bases[] = {0, AMM_MAXADDR - WIDTH, 4096, (amm_addr_t)1 << 63};

	memset(&w.map, 0xa5, sizeof(w.map));
	w.base = bases[how & 3];
	w.options = (how & 4 ? AMM_READERS : how & 64 ? AMM_FORK : 0) | (how & 8 ? AMM_NO_MALLOC : 0);
	w.callbacks = (how & 16) != 0;
	w.refusal = how & 32 ? byte() : 0;
	w.styles = byte();
	w.allowance = -1;
	w.n_live = 0;
	w.makes_one = true;

	int err = w.callbacks ? amm_init_with(&w.map, w.options, OUTSIDE, NULL, entry_alloc, entry_free,
					has_split() ? entry_split : NULL,
					has_join() ? entry_join : NULL)
			      : amm_init_with(&w.map, w.options, OUTSIDE, NULL, NULL, NULL, NULL,
					NULL);

	CHECK(err == 0, "init");
	CHECK(amm_modify(&w.map, w.base, WIDTH, AMM_FREE, NULL) == 0, "window");
	for (unsigned i = 0; i <= WIDTH; i++)
		w.cut[i] = i == 0 || i == WIDTH;
	memset(w.tags, 0, sizeof(w.tags));
	compare();
}

void amm_model_run(const uint8_t *bytes, size_t n)
{
	w.bytes = bytes;
	w.bytes_end = bytes + n;
	make_map();
	while (w.bytes < w.bytes_end) {
		uint8_t kind = byte();
		struct operation op = {.kind = kind % 16};

		pick_range(&op.a, &op.b);
		op.flags = pick_flags(byte());
		op.how = byte();
		if (kind & 0x80) {
			run_with_failures(&op);
			continue;
		}
		CHECK(run(&op) == 0, "failed with nothing planted");
		compare();
	}
	amm_destroy(&w.map);
	CHECK(w.n_live == 0, "%zu entries left over", w.n_live);
}
