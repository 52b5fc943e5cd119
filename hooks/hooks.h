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

/* Gives everything back to the area, whatever jemalloc holds. -EBUSY, and to be called again: the area
   does not take all of it. */
int hooks__destroy(struct hooks *hooks);

struct space *hooks__space(struct hooks *hooks);
struct extent_hooks_s *hooks__table(struct hooks *hooks);

/* What the program made itself, for a jemalloc or an arena of its own: hooks that are an owner. */
struct situs_hooks {
	struct hooks *hooks;
	struct owner owner;
	struct space_account account;
};

/* `settings` is what config__read has read; is_arena as in struct owner. 0, -EAGAIN, -ENOMEM, -EINVAL. */
int hooks__open(struct situs_hooks **hooks, const struct aml_area *area,
	const struct situs_config *settings, bool is_arena);

/* As hooks__destroy. */
int hooks__close(struct situs_hooks *hooks);

#endif
