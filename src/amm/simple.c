/* SPDX-License-Identifier: BSD-3-Clause */
/* simple.c - the simple interface: addresses are free, reserved, or allocated with a protection. */
#include "amm/map.h"

#include <errno.h>


int amm_init(amm_t *amm, amm_addr_t lo, amm_addr_t hi)
{
	if (lo > hi)
		return map__invalid("amm_init", "lo lies above hi");

	int err = amm_init_gen(amm, AMM_RESERVED, NULL, NULL, NULL, NULL, NULL);

	if (err != 0 || lo == hi)
		return err;
	err = amm_modify(amm, lo, hi - lo, AMM_FREE, NULL);
	if (err != 0)
		amm_destroy(amm);
	return err;
}

static bool prot_is_valid(int prot)
{
	return (prot & AMM_RESERVED) == 0;
}

int amm_allocate(amm_t *amm, amm_addr_t *addrp, amm_size_t size, int prot)
{
	if (amm == NULL || addrp == NULL || size == 0 || !prot_is_valid(prot))
		return map__invalid("amm_allocate", "no map, no address, no size or a reserved prot");

	amm_addr_t addr = *addrp;

	if (amm_find_gen(amm, &addr, size, AMM_FREE, -1, 0, 0, AMM_FORWARD) == NULL) {
		if (errno != ENOMEM)
			return errno;
		addr = AMM_MINADDR;
		if (amm_find_gen(amm, &addr, size, AMM_FREE, -1, 0, 0, AMM_FORWARD) == NULL)
			return errno;
	}

	int err = amm_modify(amm, addr, size, AMM_ALLOCATED | prot, NULL);

	if (err == 0)
		*addrp = addr;
	return err;
}

/* Is the cursor's entry allocated, and not of these flags already? */
static bool wants_change(const struct cursor *c, int flags)
{
	return (cursor__flags(c) & AMM_ALLOCATED) != 0 && cursor__flags(c) != flags;
}

/* Splits the allocated entries that reach out of the range; all that can fail. */
static int cut_ends(amm_t *amm, amm_addr_t addr, amm_addr_t end, int flags)
{
	struct cursor c;
	bool cut_head = false;
	int err = 0;

	tree__seek(amm, addr, &c);
	if (cursor__start(&c) < addr && wants_change(&c, flags)) {
		err = map__split(amm, &c, addr);
		if (err != 0)
			return err;
		cut_head = true;
	}
	tree__seek(amm, end - 1, &c);
	if (cursor__end(amm, &c) > end && wants_change(&c, flags))
		err = map__split(amm, &c, end);
	if (err != 0 && cut_head) {
		tree__seek(amm, addr - 1, &c);
		map__join_next(amm, &c);
	}
	return err;
}

/* Every allocated entry in the range gets `flags`; it stays the entry it is, as far as it lies inside. */
static int change_allocated(amm_t *amm, amm_addr_t addr, amm_size_t size, int flags)
{
	amm_addr_t end = addr + size;
	struct cursor c;
	int err;

	tree__seek(amm, addr, &c);
	err = map__begin(amm, 2, map__n_edited(amm, &c, end));
	if (err != 0)
		return err;
	err = cut_ends(amm, addr, end, flags);
	if (err != 0)
		goto end;
	tree__seek(amm, addr, &c);
	while (tree__seek_match(amm, &c, AMM_ALLOCATED, AMM_ALLOCATED, true) &&
		cursor__start(&c) < end) {
		if (wants_change(&c, flags)) {
			map__set_flags(amm, &c, flags);
			map__join_around(amm, &c);
		}
		if (!cursor__next(amm, &c))
			break;
	}
end:
	map__end(amm);
	return err;
}

int amm_deallocate(amm_t *amm, amm_addr_t addr, amm_size_t size)
{
	if (amm == NULL || amm->memory == NULL || !map__is_range(addr, size))
		return map__invalid("amm_deallocate", "no map, or a range that is empty or passes AMM_MAXADDR");
	return change_allocated(amm, addr, size, AMM_FREE);
}

int amm_protect(amm_t *amm, amm_addr_t addr, amm_size_t size, int prot)
{
	if (amm == NULL || amm->memory == NULL || !map__is_range(addr, size))
		return map__invalid("amm_protect", "no map, or a range that is empty or passes AMM_MAXADDR");
	if (!prot_is_valid(prot))
		return map__invalid("amm_protect", "prot includes AMM_RESERVED");
	return change_allocated(amm, addr, size, AMM_ALLOCATED | prot);
}

int amm_reserve(amm_t *amm, amm_addr_t addr, amm_size_t size)
{
	return amm_modify(amm, addr, size, AMM_RESERVED, NULL);
}
