/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_place.c - hostile text as a place and as SITUS_TIERS.
 *
 * What must hold for any text: a place that parses prints as text that parses to the same place; one
 * that does not leaves the chain as it was and a sentence of printable characters; an override that
 * fails leaves every kind as it was.
 */
#include "area/area.h"
#include "area/place.h"
#include "area/topology.h"
#include "base/error.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                                         \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition); \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

static void require_printable(const char *text)
{
	REQUIRE(*text);
	for (; *text; text++)
		REQUIRE(*text >= 0x20 && *text < 0x7f);
}

static char *format(const struct place *place)
{
	size_t length = place__format(place, NULL, 0);
	char *text = malloc(length + 1);

	REQUIRE(text);
	REQUIRE(place__format(place, text, length + 1) == length);
	REQUIRE(strlen(text) == length);
	return text;
}

static void require_round_trip(const struct place *place)
{
	struct place_chain again;
	struct place_error error;
	char *text = format(place), *text_again;
	char name[PLACE_MAX_PATH + 1], name_again[PLACE_MAX_PATH + 1];

	REQUIRE(place__parse(text, &again, &error) == 0);
	REQUIRE(again.n_links == 1);
	text_again = format(&again.link[0]);
	REQUIRE(strcmp(text, text_again) == 0);
	REQUIRE(again.link[0].where == place->where && again.link[0].policy == place->policy);
	REQUIRE(again.link[0].limit == place->limit && again.link[0].page_size == place->page_size);
	REQUIRE(os__nodes_equal(&again.link[0].nodes, &place->nodes));
	REQUIRE(place__name(place, name, sizeof(name)) < sizeof(name));
	place__name(&again.link[0], name_again, sizeof(name_again));
	REQUIRE(strcmp(name, name_again) == 0);
	free(text);
	free(text_again);
}

static void try_place(const char *text)
{
	static struct place_chain chain, before;
	struct place_error error;
	int err;

	memset(&chain, 0x5a, sizeof(chain));
	before = chain;
	memset(&error, 0x5a, sizeof(error));
	err = place__parse(text, &chain, &error);
	if (err < 0) {
		REQUIRE(err == -error.code && (error.code == AML_EINVAL || error.code == AML_EDOM));
		REQUIRE(memchr(error.text, '\0', sizeof(error.text)));
		require_printable(error.text);
		REQUIRE(memcmp(&chain, &before, sizeof(chain)) == 0);
		return;
	}
	REQUIRE(chain.n_links >= 1 && chain.n_links <= PLACE_MAX_LINKS);
	for (int i = 0; i < chain.n_links; i++)
		require_round_trip(&chain.link[i]);
}

static void try_tiers(const char *text)
{
	struct topology_node nodes[4] = {{.number = 0}, {.number = 1}, {.number = 2}, {.number = 9}};
	struct topology topology = {.n_nodes = 4, .nodes = nodes};

	if (topology__apply_override(&topology, text) == 0)
		return;
	require_printable(error__text());
	for (int i = 0; i < 4; i++)
		REQUIRE(nodes[i].kind == TOPOLOGY_KIND_UNKNOWN);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	try_place(text);
	try_tiers(text);
	free(text);
	return 0;
}
