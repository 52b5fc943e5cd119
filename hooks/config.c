/* SPDX-License-Identifier: BSD-3-Clause */
#include "hooks/config.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"

/* Bytes of a newer caller's struct that this version does not know must ask for nothing. */
static int asks_for_unknown(const struct situs_config *config)
{
	const char *bytes = (const char *)config;

	for (size_t i = sizeof(*config); i < config->struct_size; i++)
		if (bytes[i] != 0)
			return 1;
	return 0;
}

int config__read(const struct situs_config *config, struct situs_config *out)
{
	memset(out, 0, sizeof(*out));
	out->struct_size = sizeof(*out);
	if (config == NULL)
		return 0;
	if (config->struct_size < sizeof(config->struct_size))
		return error__set(EINVAL, "situs_config: struct_size is not set");
	if (config->struct_size > 4096 || asks_for_unknown(config))
		return error__set(EINVAL, "situs_config: struct_size %zu is not known to this version",
			config->struct_size);
	memcpy(out, config, config->struct_size < sizeof(*out) ? config->struct_size : sizeof(*out));
	if (out->decay_ms < -1)
		return error__set(EINVAL, "situs_config: decay_ms %ld is below -1", out->decay_ms);
	return 0;
}
