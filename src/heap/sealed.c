/* SPDX-License-Identifier: BSD-3-Clause */
#include "heap/sealed.h"

#include <sys/random.h>

uint64_t sealed__secret;

/* Seals made before this would be broken by it: nobody has a heap as early. */
__attribute__((constructor(101))) static void make_secret(void)
{
	if (getrandom(&sealed__secret, sizeof(sealed__secret), GRND_NONBLOCK) != sizeof(sealed__secret))
		sealed__secret = (uintptr_t)&sealed__secret * UINT64_C(0x9e3779b97f4a7c15); /* address randomisation */
}
