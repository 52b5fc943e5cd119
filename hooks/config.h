/* SPDX-License-Identifier: BSD-3-Clause */
/* config.h - struct situs_config as callers of any age hand it in. */
#ifndef HOOKS_CONFIG_H
#define HOOKS_CONFIG_H

#include "situs.h"

/* Copies and checks; config NULL gives the defaults. 0 or -EINVAL with a sentence. */
int config__read(const struct situs_config *config, struct situs_config *out);

#endif
