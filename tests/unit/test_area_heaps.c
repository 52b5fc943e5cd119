/* SPDX-License-Identifier: BSD-3-Clause */
/* Every kind of area carries a heap: contents stay, zero means zero, everything goes back. */
#include "tests/unit/area_test.h"

#include <stdlib.h>

#include "situs.h"

enum { N_BLOCKS = 3000, N_STEPS = 30000 };

struct block {
	unsigned char *p;
	size_t size;
	unsigned char byte;
};

static struct block blocks[N_BLOCKS];

static void check_and_free(struct block *block)
{
	assert_int_equal(block->p[0], block->byte);
	assert_int_equal(block->p[block->size / 2], block->byte);
	assert_int_equal(block->p[block->size - 1], block->byte);
	situs_free(block->p);
	block->p = NULL;
}

/* Small blocks, and one in fifty of up to 512 KiB; half of them must be zeros. */
static void allocate(situs_heap_t *heap, struct block *block)
{
	bool zero = random() % 2;

	block->size = 1 + (size_t)random() % (random() % 50 == 0 ? 512 * 1024 : 2000);
	block->p = zero ? situs_calloc(heap, 1, block->size) : situs_malloc(heap, block->size);
	if (block->p == NULL)
		fail_msg("%zu bytes: %s", block->size, situs_error());
	if (zero)
		assert_true(block->p[0] == 0 && memcmp(block->p, block->p + 1, block->size - 1) == 0);
	block->byte = (unsigned char)(random() | 1);
	memset(block->p, block->byte, block->size);
}

static void use_heap(situs_heap_t *heap)
{
	for (int i = 0; i < N_STEPS; i++) {
		struct block *block = &blocks[random() % N_BLOCKS];

		if (block->p != NULL)
			check_and_free(block);
		else
			allocate(heap, block);
	}
	for (int i = 0; i < N_BLOCKS; i++)
		if (blocks[i].p != NULL)
			check_and_free(&blocks[i]);
}

static void carries_a_heap(const char *place)
{
	situs_heap_t *heap;

	skip_where_binding_is_forbidden();
	heap = situs_heap_open(place);
	if (heap == NULL)
		fail_msg("%s: %s", place, situs_error());
	srandom(1);
	use_heap(heap);
	/* Anew, in memory that was used. */
	situs_heap_trim(heap);
	use_heap(heap);
	assert_int_equal(situs_heap_destroy(heap), 0);
}

#define HEAP_TEST(name, place) \
	static void name##_carries_a_heap(void **state) \
	{ \
		(void)state; \
		carries_a_heap(own_place(place)); \
	}

HEAP_TEST(anon, "anon")
HEAP_TEST(bind, "node:0,bind")
HEAP_TEST(strict, "node:0,strict")
HEAP_TEST(strict_thp, "node:0,strict,thp")
HEAP_TEST(thp, "node:0,thp")
HEAP_TEST(populated, "node:0,populate")
HEAP_TEST(file, "file:/tmp")
HEAP_TEST(shm, "shm:situs-test-heap")
HEAP_TEST(strict_shm, "shm:situs-test-heap,node:0,strict")
HEAP_TEST(limited, "node:0,strict,limit:512M")
HEAP_TEST(chain, "node:0,strict > any")
HEAP_TEST(mixed_chain, "file:/tmp,limit:16M > any")

static void *user_mmap(const struct aml_area_data *data, void **ptr, size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)data;
	(void)ptr;
	if (p == MAP_FAILED)
		return NULL;
	/* Nothing was said of zeros. */
	memset(p, 0xa5, size);
	return p;
}

static int user_munmap(const struct aml_area_data *data, void *ptr, size_t size)
{
	(void)data;
	return munmap(ptr, size) == 0 ? AML_SUCCESS : -AML_EINVAL;
}

static void table_of_two_operations_carries_a_heap(void **state)
{
	static const struct aml_area_ops ops = {.mmap = user_mmap, .munmap = user_munmap};
	const struct aml_area area = {&ops, NULL};
	situs_heap_t *heap;

	(void)state;
	assert_int_equal(situs_heap_create(&heap, &area, NULL), 0);
	srandom(1);
	use_heap(heap);
	assert_int_equal(situs_heap_destroy(heap), 0);
}

static void dirty_buffer_carries_a_heap_that_gives_zeros(void **state)
{
	size_t size = 256 * MIB;
	char *buffer = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct aml_area_info info = {.struct_size = sizeof(info)};
	struct aml_area *area;
	situs_heap_t *heap;

	(void)state;
	assert_ptr_not_equal(buffer, MAP_FAILED);
	memset(buffer, 0x5a, size);
	assert_int_equal(aml_area_buffer_create(&area, buffer, size), AML_SUCCESS);
	assert_int_equal(situs_heap_create(&heap, area, NULL), 0);
	srandom(1);
	use_heap(heap);
	assert_int_equal(situs_heap_destroy(heap), 0);
	/* All of it went back. */
	assert_int_equal(aml_area_info(area, &info), AML_SUCCESS);
	assert_int_equal(info.available, size);
	aml_area_buffer_destroy(&area);
	munmap(buffer, size);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(anon_carries_a_heap),
		cmocka_unit_test(bind_carries_a_heap),
		cmocka_unit_test(strict_carries_a_heap),
		cmocka_unit_test(strict_thp_carries_a_heap),
		cmocka_unit_test(thp_carries_a_heap),
		cmocka_unit_test(populated_carries_a_heap),
		cmocka_unit_test(file_carries_a_heap),
		cmocka_unit_test(shm_carries_a_heap),
		cmocka_unit_test(strict_shm_carries_a_heap),
		cmocka_unit_test(limited_carries_a_heap),
		cmocka_unit_test(chain_carries_a_heap),
		cmocka_unit_test(mixed_chain_carries_a_heap),
		cmocka_unit_test(table_of_two_operations_carries_a_heap),
		cmocka_unit_test(dirty_buffer_carries_a_heap_that_gives_zeros),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
