/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * start.c - reads the environment and makes the program's heaps, before main.
 *
 * A program must run whatever the environment says: a bad value is one line on standard error and
 * the default instead (`situs run` has checked the values and refuses to start). Set-uid programs
 * never come here with a preload of the user's choosing, and secure_getenv keeps their environment out
 * all the same.
 *
 * Mallocs made while this runs (by the areas, by hwloc) find no heap yet and go to the C library,
 * which is where their frees go as well.
 */
#include "config.h"

#include "preload/start.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "area/area.h"
#include "area/place.h"
#include "area/topology.h"
#include "base/utf8.h"
#include "heap/heap.h"
#include "heap/named.h"
#include "heap/publish.h"
#include "os/os.h"
#include "preload/extended.h"
#include "preload/report.h"
#include "preload/split.h"

struct preload preload = { .size_max = SIZE_MAX };

static enum settings_log level = SETTINGS_WARN;

void preload__say(enum settings_log of, const char *format, ...)
{
	char line[640];
	va_list args;
	int n;

	if (of > level)
		return;
	va_start(args, format);
	n = vsnprintf(line, sizeof(line) - 1, format, args);
	va_end(args);
	if (n < 0)
		return;
	if ((size_t)n > sizeof(line) - 2)
		n = sizeof(line) - 2;
	line[n] = 0;
	/* One line, whatever a value of the environment holds. */
	utf8__make_printable(line);
	line[n++] = '\n';
	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		return;
}

static void complain(const char *sentence, const char *instead, void *arg)
{
	(void)arg;
	preload__say(SETTINGS_ERROR, "situs: %s; %s", sentence, instead);
}

/* Memory of files and of shared objects stays shared after a fork. */
static bool is_shared(const struct place_chain *chain)
{
	for (int i = 0; i < chain->n_links; i++)
		if (chain->link[i].where == PLACE_FILE || chain->link[i].where == PLACE_SHM)
			return true;
	return false;
}

/* From now on forks are refused, and the child of one that is not asked for by fork has no such memory. */
static void share(void)
{
	preload.is_shared = true;
	os__files_stay_here = true;
}

static void say_own_place(const char *name, const char *why)
{
	preload__say(SETTINGS_ERROR, "situs: SITUS_HEAPS: heap %.60s: %.350s; using the program's own place", name, why);
}

/* What its words tell is told at the start. */
static void cannot_follow(const char *name, const char *place)
{
	struct place_chain chain;
	struct place_error error;

	if (place__parse(place, &chain, &error) == 0)
		say_own_place(name, situs_error());
}

static int look_at_named(const char *name, const char *place, void *arg)
{
	struct place_chain chain;
	struct place_error error;

	(void)arg;
	if (place__parse(place, &chain, &error))
		say_own_place(name, error.text);
	else if (is_shared(&chain))
		share();
	return 0;
}

static situs_heap_t *open_heap(const char *name, const char *place, size_t limit)
{
	struct situs_config config = { .struct_size = sizeof(config), .name = name, .limit = limit };
	struct place_chain chain;
	struct place_error error;
	struct aml_area *area;
	situs_heap_t *heap;

	if (place__parse(place, &chain, &error) == 0 && is_shared(&chain))
		share();
	/* Nobody looks for this heap's objects by name, so none has to be left behind by a killed program. */
	area__names_go_at_once = true;
	if (aml_area_open(&area, place))
		area = NULL;
	area__names_go_at_once = false;
	if (!area)
		return NULL;
	if (situs_heap_create(&heap, area, &config)) {
		aml_area_close(&area);
		return NULL;
	}
	heap->owned_area = area;
	preload.heaps[preload.n_heaps++] = heap;
	return heap;
}

static void close_heaps(void)
{
	while (preload.n_heaps > 0)
		situs_heap_destroy(preload.heaps[--preload.n_heaps]);
	preload.is_shared = os__files_stay_here = false;
}

/* Every share's heap, named by its place, or none: false. Limits are split like the bytes. */
static bool open_shares(const struct settings *settings)
{
	unsigned long total = 0;

	for (int i = 0; i < settings->n_shares; i++)
		total += settings->shares[i].weight;
	for (int i = 0; i < settings->n_shares; i++) {
		const struct settings_share *share = &settings->shares[i];
		size_t limit = settings->limit / total * share->weight;

		if (settings->limit && !limit)
			limit = 1;
		if (open_heap(share->place, share->place, limit))
			continue;
		preload__say(SETTINGS_ERROR, "situs: SITUS_RATIO: %.100s: %.250s; using any", share->place, situs_error());
		close_heaps();
		return false;
	}
	split__by_weight(settings->shares, settings->n_shares);
	preload.is_split = true;
	return true;
}

/* A heap for each node that threads run on, or none: false. */
static bool open_nodes(const struct settings *settings)
{
	const char *local = settings->place ? settings->place : "local";
	int nodes[PRELOAD_HEAPS_MAX], n = split__thread_nodes(nodes, PRELOAD_HEAPS_MAX);
	char place[256];

	if (n == 0)
		preload__say(SETTINGS_ERROR, "situs: SITUS_PER_THREAD_LOCAL: this process may not ask for its nodes; "
			"using any");
	for (int i = 0; i < n; i++) {
		size_t limit = settings->limit / (size_t)n;

		if (settings->limit && !limit)
			limit = 1;
		if (settings__place_on_node(local, nodes[i], place, sizeof(place)) == 0 && open_heap(place, place, limit))
			continue;
		preload__say(SETTINGS_ERROR, "situs: SITUS_PER_THREAD_LOCAL: node %d: %.250s; using any", nodes[i],
			situs_error());
		close_heaps();
		return false;
	}
	if (n == 0)
		return false;
	split__by_node(nodes, n);
	preload.is_split = n > 1;
	return true;
}

static bool open_area(const struct settings *settings)
{
	const char *place = settings->place ? settings->place : "any";

	if (open_heap("main", place, settings->limit))
		return true;
	/* Where even any cannot be had, the caller tells it. */
	if (strcmp(place, "any") != 0)
		preload__say(SETTINGS_ERROR, "situs: SITUS_AREA=%.100s: %.250s; using any", place, situs_error());
	return false;
}

static bool open_heaps(const struct settings *settings)
{
	bool is_open = settings->n_shares ? open_shares(settings) :
		settings->per_thread_local ? open_nodes(settings) : open_area(settings);

	/* Heaps that the program itself makes may be sent to such places too. */
	named__cannot_follow = cannot_follow;
	named__has_no_orders = settings->has_wrong_heaps;
	if (!settings->has_wrong_heaps)
		settings__each_heap(look_at_named, NULL);
	return is_open || open_heap("main", "any", settings->limit);
}

/* SITUS_TIERS, which only some places need: what its words tell is told whatever the place. */
static void check_tiers(void)
{
	const char *tiers = secure_getenv("SITUS_TIERS");

	if (!tiers || topology__check_override(tiers) == 0)
		return;
	preload__say(SETTINGS_ERROR, "situs: %.350s; ignored", situs_error());
	topology__has_no_override = true;
}

static void tell(void)
{
	for (int i = 0; i < preload.n_heaps; i++)
		preload__say(SETTINGS_INFO, "situs: pid %ld draws its memory from %.100s", (long)getpid(),
			preload.heaps[i]->place);
}

/* How many sizes, from size_min on, caches hold and the heaps serve. */
static size_t n_cached_sizes(void)
{
#ifdef SITUS_GUARDED
	return 0;
#else
	size_t last = preload.size_max < SIZE_CLASS_MAX ? preload.size_max : (size_t)SIZE_CLASS_MAX;

	return preload.size_min <= last ? last - preload.size_min + 1 : 0;
#endif
}

__attribute__((constructor)) static void start(void)
{
	int saved = errno;
	struct settings settings;

	/* What the reader complains of before it knows the level is an error, which always passes. */
	settings__read(&settings, complain, NULL);
	level = settings.log;
	preload.size_min = settings.size_min;
	preload.size_max = settings.size_max;
	preload.pid = getpid();
	check_tiers();
	if (open_heaps(&settings)) {
		if (publish__on())
			preload__say(SETTINGS_INFO, "situs: %.400s", situs_error());
		tell();
		if (settings.stats == 1 || settings.stats == preload.pid)
			report__at_exit(settings.stats_as_json);
		extended__start();
		preload.n_noted = preload.is_split ? 0 : n_cached_sizes();
		atomic_store_explicit(&preload.heap, preload.heaps[0], memory_order_release);
	} else {
		preload__say(SETTINGS_ERROR, "situs: no heap, the C library's malloc is used: %.250s", situs_error());
	}
	settings__free(&settings);
	errno = saved;
}
