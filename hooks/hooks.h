/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hooks.h - the hooks of one arena: jemalloc's table of calls, tied to a space.
 *
 * Embeddable: the heap floor keeps one per arena inside its own struct.
 */
#ifndef HOOKS_HOOKS_H
#define HOOKS_HOOKS_H

#include "hooks/owner.h"
#include "hooks/space.h"
#include "situs.h"

struct hooks;

/* The struct's size is known to hooks.c alone, since it holds a type of jemalloc's. */
int hooks__create(struct hooks **hooks, const struct aml_area *area, uint32_t word,
	struct space_account *account);

/* Gives everything back to the area, whatever jemalloc holds. */
void hooks__destroy(struct hooks *hooks);

struct space *hooks__space(struct hooks *hooks);
struct extent_hooks_s *hooks__table(struct hooks *hooks);

#endif
