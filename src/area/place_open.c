/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * place_open.c - the area that a place string names.
 *
 * Only words that choose nodes by merit load the topology; "node:", "any", "local" and the like cost
 * no more than their area. What aml_area_fprintf prints is the place with its nodes resolved: it opens
 * the same area again, whichever thread asks and whatever SITUS_TIERS says by then.
 */
#include "area/area.h"
#include "area/backing.h"
#include "area/chain.h"
#include "area/limit.h"
#include "area/place.h"
#include "area/topology.h"
#include "base/error.h"
#include "os/os.h"

#include <errno.h>
#include <numa.h>
#include <stdlib.h>
#include <string.h>

/* Adds what would fit on this machine, where the place itself was wrong. */
static int fail_with_places(const struct place_error *error)
{
	const struct topology *topology;
	char fitting[160];

	if (!error->bad_where || topology__get(&topology) < 0)
		return aml__fail(error->code, "%s", error->text);
	if (topology->imported)
		return aml__fail(error->code, "%s; HWLOC_XMLFILE or HWLOC_SYNTHETIC describes another machine", error->text);
	place__fitting(topology, fitting, sizeof(fitting));
	return aml__fail(error->code, "%s; here would fit: %s", error->text, fitting);
}

static int resolve(struct place *place, struct place_error *error)
{
	const struct topology *topology;
	struct os_nodes nodes;
	int err;

	if (place->where == PLACE_CUDA || place->where == PLACE_OPENCL)
		return place__resolve(place, NULL, -1, &nodes, error);
	if (!place__needs_topology(place))
		return 0;
	err = topology__get(&topology);
	if (err < 0) {
		error->code = 0; /* the sentence is recorded */
		return err;
	}
	err = place__resolve(place, topology, -1, &nodes, error);
	if (err < 0)
		return err;
	place->where = PLACE_NODE;
	place->has_nodes = true;
	place->nodes = nodes;
	return 0;
}

/* Are the nodes here, and may this process use them? The areas ask too, but know fewer words. */
static int check_nodes(const struct place *place, struct place_error *error)
{
	struct os_nodes allowed, missing;
	char list[64], shown[64];

	if (!place->has_nodes || os__nodes_allowed(&allowed) < 0)
		return 0;
	missing = nodes__minus(&place->nodes, &allowed);
	if (os__nodes_count(&missing) == 0)
		return 0;
	os__nodes_text(&missing, list, sizeof(list));
	os__nodes_text(&allowed, shown, sizeof(shown));
	error->code = AML_EDOM;
	error->bad_where = true;
	snprintf(error->text, sizeof(error->text),
		"node %s is not on this machine or not allowed here (this process may use %s)", list, shown);
	return -AML_EDOM;
}

static int open_by_kind(struct aml_area **area, const struct place *place, const char *name,
	const struct area_options *options)
{
	switch (place->where) {
	case PLACE_HUGETLB:
		return area__hugetlb_create(area, place->page_size, options);
	case PLACE_FILE:
		return area__file_create(area, name, options);
	case PLACE_SHM:
		return area__shm_create(area, name, options);
	case PLACE_ANON:
		if (place->has_nodes || options->policy != AML_AREA_LINUX_POLICY_DEFAULT)
			break;
		return area__anon_create(area, options);
	default:
		break;
	}
	return area__linux_create(area, options);
}

/* A size that the kernel has no pool of is a wrong word; the sentence is recorded. */
static int fail_with_pools(void)
{
	struct place_error error = {.code = AML_EDOM, .bad_where = true};

	snprintf(error.text, sizeof(error.text), "%s", error__text());
	return fail_with_places(&error);
}

/* Opens one place whose words are resolved. */
static int open_place(struct aml_area **area, const struct place *place)
{
	struct os_nodes nodes = place->nodes;
	struct bitmask mask = {OS_MAX_NODES, nodes.bits};
	struct area_options options = {
		.nodes = place->has_nodes ? &mask : NULL,
		.policy = place__policy(place, place->has_nodes ? (unsigned)os__nodes_count(&nodes) : 0),
		.local = place->where == PLACE_LOCAL || place->policy == PLACE_FIRSTTOUCH,
		.thp = place->thp,
		.populate = place->populate,
		.limit = place->limit,
		.keep_file = place->keep,
	};
	size_t size = place__format(place, NULL, 0) + 1;
	char *text, *name;
	int err;

	/* One block: the canonical text, and the name, which is no longer than the text. */
	text = malloc(2 * size);
	if (!text)
		return aml__fail(AML_ENOMEM, "no memory for the area of a place");
	name = text + size;
	place__format(place, text, size);
	place__name(place, name, size);
	options.place = text;
	err = open_by_kind(area, place, name, &options);
	free(text);
	return err == -AML_EDOM && place->where == PLACE_HUGETLB && !place->has_nodes ? fail_with_pools() : err;
}

/* Everything is open: what cannot be undone is done last. */
static void settle(const struct aml_area *area)
{
	for (int i = 0; i < chain__n_links(area); i++)
		backing__settle(limit__inner(chain__link(area, i)));
}

static int open_chain(struct aml_area **area, const struct place_chain *chain)
{
	struct aml_area *links[PLACE_MAX_LINKS];
	int n, err = 0;

	for (n = 0; n < chain->n_links; n++) {
		err = open_place(&links[n], &chain->link[n]);
		if (err < 0)
			goto destroy_links;
	}
	err = area__chain_create(area, links, n, NULL);
	if (err < 0)
		goto destroy_links;
	return AML_SUCCESS;

destroy_links:
	while (n-- > 0)
		area__destroy(&links[n]);
	return err;
}

int aml_area_open(struct aml_area **area, const char *place)
{
	struct place_chain chain;
	struct place_error error;
	int errno_before = errno, err;

	if (!area)
		return aml__fail(AML_EINVAL, "aml_area_open: area is NULL");
	err = place__parse(place, &chain, &error);
	if (err < 0)
		return fail_with_places(&error);
	for (int i = 0; i < chain.n_links; i++) {
		err = resolve(&chain.link[i], &error);
		if (err == 0)
			err = check_nodes(&chain.link[i], &error);
		if (err < 0)
			return error.code ? fail_with_places(&error) : err;
	}
	err = chain.n_links == 1 ? open_place(area, &chain.link[0]) : open_chain(area, &chain);
	if (err == AML_SUCCESS) {
		settle(*area);
		errno = errno_before;
	}
	return err;
}

void aml_area_close(struct aml_area **area)
{
	area__destroy(area);
}
