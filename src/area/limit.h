/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * limit.h - an area around another that refuses to have more than so many bytes out.
 */
#ifndef AREA_LIMIT_H
#define AREA_LIMIT_H

#include <stdint.h>

#include "area/area.h"

/*
 * Puts into *area: inner itself where limit is 0, else a new area around it, printed as inner's
 * place (which names the limit where it was said in words). Takes inner over, in failure too: then
 * it is destroyed.
 */
int limit__wrap(struct aml_area **area, struct aml_area *inner, size_t limit);

/* What a limit was put around; the area itself where it is none. */
const struct aml_area *limit__inner(const struct aml_area *area);

/* The same for limits around limits: what there is below them all. */
const struct aml_area *limit__innermost(const struct aml_area *area);

/* A range that came from elsewhere is the area's to commit and to charge. 0 or -ENOMEM. */
int limit__enter(const struct aml_area *area, uintptr_t start, uintptr_t end);

/* Charges what of a range is not charged yet, or gives back what is; areas without a limit are content
   with either. -ENOMEM with a sentence: the limit, or no memory for the books; nothing changed. */
int limit__claim(const struct aml_area *area, uintptr_t start, uintptr_t end);
void limit__forget(const struct aml_area *area, uintptr_t start, uintptr_t end);

#endif
