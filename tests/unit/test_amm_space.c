/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The worked example of doc/address-map.md: an address-space manager. Each entry is embedded in a
 * mapping that names an object and the offset in it where the mapping starts; objects count the
 * mappings that refer to them.
 */
#include "tests/unit/test.h"

#include <stdlib.h>

#include "amm.h"

enum {
	SPACE_FREE = 0,
	SPACE_MAPPED = 0x10,
	PROT_R = 1,
	PROT_W = 2,
	PAGE = 4096,
};

struct object {
	int n_mappings;
};

struct mapping {
	amm_entry_t entry; /* first: a mapping is an entry */
	struct object *object;
	size_t offset; /* in the object, of the mapping's first address */
};

static struct mapping *mapping_of(amm_entry_t *entry)
{
	return (struct mapping *)entry;
}

static struct mapping *make_mapping(struct object *object, size_t offset)
{
	struct mapping *m = malloc(sizeof(*m));

	if (m == NULL)
		return NULL;
	m->object = object;
	m->offset = offset;
	if (object != NULL)
		object->n_mappings++;
	return m;
}

/* What the map makes on its own account maps nothing. */
static amm_entry_t *space_alloc(amm_t *amm, amm_addr_t addr, amm_size_t size, int flags)
{
	struct mapping *m = make_mapping(NULL, 0);

	(void)amm;
	(void)addr;
	(void)size;
	(void)flags;
	return m == NULL ? NULL : &m->entry;
}

static void space_free(amm_t *amm, amm_entry_t *entry)
{
	struct mapping *m = mapping_of(entry);

	(void)amm;
	if (m->object != NULL)
		m->object->n_mappings--;
	free(m);
}

/* Both parts map the same object, the tail from further on. */
static int space_split(amm_t *amm, amm_entry_t *entry, amm_addr_t at, amm_entry_t **head,
	amm_entry_t **tail)
{
	struct mapping *old = mapping_of(entry);
	struct mapping *m = make_mapping(old->object, old->offset + (at - amm_entry_start(entry)));

	(void)amm;
	if (m == NULL)
		return 12; /* ENOMEM */
	*head = entry;
	*tail = &m->entry;
	return 0;
}

/* Neighbours are one mapping where the object goes on as the addresses do. */
static int space_join(amm_t *amm, amm_entry_t *head, amm_entry_t *tail, amm_entry_t **joined)
{
	const struct mapping *h = mapping_of(head), *t = mapping_of(tail);

	(void)amm;
	if (h->object != t->object)
		return 1;
	if (h->object != NULL && h->offset + amm_entry_size(head) != t->offset)
		return 1;
	*joined = head;
	return 0;
}

static void space_init(amm_t *space)
{
	assert_int_equal(amm_init_gen(space, SPACE_FREE, NULL, space_alloc, space_free, space_split,
				 space_join), 0);
}

static int space_map(amm_t *space, amm_addr_t *addr, size_t size, int prot, struct object *object,
	size_t offset)
{
	struct mapping *m;

	if (amm_find_gen(space, addr, size, SPACE_FREE, -1, 12, 0, AMM_FORWARD) == NULL)
		return -1;
	m = make_mapping(object, offset);
	if (m == NULL || amm_modify(space, *addr, size, SPACE_MAPPED | prot, &m->entry) != 0)
		return -1;
	return 0;
}

static int space_unmap(amm_t *space, amm_addr_t addr, size_t size)
{
	return amm_modify(space, addr, size, SPACE_FREE, NULL);
}

/* Takes the right to write from every mapping in a range that has it. */
static int write_protect(amm_t *space, amm_entry_t *entry, void *arg)
{
	(void)arg;
	return amm_modify(space, amm_entry_start(entry), amm_entry_size(entry),
		amm_entry_flags(entry) & ~PROT_W, entry);
}

static int space_write_protect(amm_t *space, amm_addr_t addr, size_t size)
{
	/* First the ends, which is all that may fail; then whole entries, in place. */
	if (amm_select(space, addr, size) == NULL)
		return -1;
	return amm_iterate_gen(space, write_protect, NULL, addr, size, SPACE_MAPPED | PROT_W,
		SPACE_MAPPED | PROT_W);
}

static void expect(amm_t *space, amm_addr_t addr, amm_addr_t start, amm_addr_t end, int flags,
	const struct object *object, size_t offset)
{
	amm_entry_t *entry = amm_find_addr(space, addr);

	assert_int_equal(amm_entry_start(entry), start);
	assert_int_equal(amm_entry_end(entry), end);
	assert_int_equal(amm_entry_flags(entry), flags);
	assert_ptr_equal(mapping_of(entry)->object, object);
	assert_int_equal(mapping_of(entry)->offset, offset);
}

static void objects_are_mapped_and_unmapped(void **state)
{
	amm_t space;
	struct object file = {0};
	amm_addr_t addr = 0x10001;

	(void)state;
	space_init(&space);
	assert_int_equal(space_map(&space, &addr, 8 * PAGE, PROT_R, &file, 0), 0);
	assert_int_equal(addr, 0x11000);
	/* A hole in the middle leaves two mappings, the second from further on in the file. */
	assert_int_equal(space_unmap(&space, addr + 2 * PAGE, 3 * PAGE), 0);
	assert_int_equal(file.n_mappings, 2);
	expect(&space, addr, addr, addr + 2 * PAGE, SPACE_MAPPED | PROT_R, &file, 0);
	expect(&space, addr + 5 * PAGE, addr + 5 * PAGE, addr + 8 * PAGE, SPACE_MAPPED | PROT_R, &file,
		5 * PAGE);
	assert_int_equal(space_unmap(&space, addr, 8 * PAGE), 0);
	assert_int_equal(file.n_mappings, 0);
	assert_int_equal(amm_count(&space), 1);
	assert_int_equal(amm_check(&space), 0);
	amm_destroy(&space);
}

static void neighbours_join_only_where_the_object_goes_on(void **state)
{
	amm_t space;
	struct object file = {0}, other = {0};
	amm_addr_t addr = 0x10000;

	(void)state;
	space_init(&space);
	space_map(&space, &addr, PAGE, PROT_R, &file, 0);
	addr = 0x11000;
	space_map(&space, &addr, PAGE, PROT_R, &file, PAGE);
	expect(&space, 0x10000, 0x10000, 0x12000, SPACE_MAPPED | PROT_R, &file, 0);
	addr = 0x12000;
	space_map(&space, &addr, PAGE, PROT_R, &file, 7 * PAGE);
	addr = 0x13000;
	space_map(&space, &addr, PAGE, PROT_R, &other, 8 * PAGE);
	assert_int_equal(file.n_mappings, 2);
	assert_int_equal(other.n_mappings, 1);
	expect(&space, 0x12000, 0x12000, 0x13000, SPACE_MAPPED | PROT_R, &file, 7 * PAGE);
	expect(&space, 0x13000, 0x13000, 0x14000, SPACE_MAPPED | PROT_R, &other, 8 * PAGE);
	amm_destroy(&space);
	assert_int_equal(file.n_mappings + other.n_mappings, 0);
}

static void a_range_is_write_protected_by_iteration(void **state)
{
	amm_t space;
	struct object file = {0}, other = {0};
	amm_addr_t addr = 0x10000;

	(void)state;
	space_init(&space);
	space_map(&space, &addr, 4 * PAGE, PROT_R | PROT_W, &file, 0);
	addr = 0x14000;
	space_map(&space, &addr, 2 * PAGE, PROT_R, &other, 0);
	addr = 0x16000;
	space_map(&space, &addr, 4 * PAGE, PROT_R | PROT_W, &other, 2 * PAGE);
	assert_int_equal(space_write_protect(&space, 0x12000, 6 * PAGE), 0);
	expect(&space, 0x10000, 0x10000, 0x12000, SPACE_MAPPED | PROT_R | PROT_W, &file, 0);
	expect(&space, 0x12000, 0x12000, 0x14000, SPACE_MAPPED | PROT_R, &file, 2 * PAGE);
	/* What became read-only joins what was, since the object goes on. */
	expect(&space, 0x14000, 0x14000, 0x18000, SPACE_MAPPED | PROT_R, &other, 0);
	expect(&space, 0x18000, 0x18000, 0x1a000, SPACE_MAPPED | PROT_R | PROT_W, &other, 4 * PAGE);
	assert_int_equal(amm_check(&space), 0);
	amm_destroy(&space);
	assert_int_equal(file.n_mappings + other.n_mappings, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects_are_mapped_and_unmapped),
		cmocka_unit_test(neighbours_join_only_where_the_object_goes_on),
		cmocka_unit_test(a_range_is_write_protected_by_iteration),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
