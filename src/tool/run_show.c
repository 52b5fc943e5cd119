/* SPDX-License-Identifier: BSD-3-Clause */
/* run_show.c - what situs run decided, for people (-v) and for shells (--dry-run). */
#include "config.h"

#include "tool/run.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "area/topology.h"
#include "base/error.h"
#include "base/size.h"
#include "base/utf8.h"
#include "heap/settings.h"
#include "os/os.h"
#include "tool/places.h"
#include "tool/tool.h"

/* Why */

/* A line for each link of a place: its nodes, and why they are those. */
static void explain_links(const char *place)
{
	const struct topology *topology;
	struct place_chain chain;
	struct place_error error;
	char line[PLACES_LINE_SIZE];

	if (topology__get(&topology) || place__parse(place, &chain, &error))
		return;
	for (int i = 0; i < chain.n_links; i++)
		if (places__explain(topology, &chain.link[i], line, sizeof(line)) == 0)
			tool__say("  %s", line);
}

struct named {
	run_who_func *who_says;
	const char *name;
	int n, last; /* entries so far, and the last one of that name */
};

static int look_for_later(const char *name, const char *place, void *arg)
{
	struct named *named = arg;

	(void)place;
	if (strcmp(name, named->name) == 0)
		named->last = named->n;
	named->n++;
	return 0;
}

static int explain_heap(const char *name, const char *place, void *arg)
{
	struct named *here = arg, all = { .name = name };

	settings__each_heap(look_for_later, &all);
	/* Of two for one name the later counts. */
	if (here->n++ != all.last)
		return 0;
	tool__say("a heap that the program calls %s will lie in %s: %s says so", name, place, here->who_says("SITUS_HEAPS"));
	explain_links(place);
	return 0;
}

static void explain_shares(const struct settings *settings, run_who_func *who_says)
{
	unsigned long total = 0;

	for (int i = 0; i < settings->n_shares; i++)
		total += settings->shares[i].weight;
	for (int i = 0; i < settings->n_shares; i++) {
		tool__say("%u of %lu parts of the bytes in use will lie in %s: %s says so", settings->shares[i].weight,
			total, settings->shares[i].place, who_says("SITUS_RATIO"));
		explain_links(settings->shares[i].place);
	}
}

/* The place on every node that a thread may come to. */
static void explain_local(const char *local)
{
	struct os_nodes nodes;
	char place[256];

	if (os__nodes_allowed(&nodes) < 0)
		return;
	for (int node = os__nodes_next(&nodes, 0); node >= 0; node = os__nodes_next(&nodes, node + 1))
		if (settings__place_on_node(local, node, place, sizeof(place)) == 0)
			explain_links(place);
}

static void explain_sizes(const struct settings *settings, run_who_func *who_says)
{
	char text[SIZE_TEXT_SIZE];

	if (settings->limit)
		tool__say("beyond %s malloc gives NULL: %s says so", size__format(settings->limit, text),
			who_says("SITUS_LIMIT"));
	if (settings->size_min)
		tool__say("blocks below %zu bytes stay with the C library: %s says so", settings->size_min,
			who_says("SITUS_SIZE_MIN"));
	if (settings->size_max != SIZE_MAX)
		tool__say("blocks above %zu bytes stay with the C library: %s says so", settings->size_max,
			who_says("SITUS_SIZE_MAX"));
}

/* Everything has been checked: nothing is complained of any more. */
static void ignore(const char *sentence, const char *instead, void *arg)
{
	(void)sentence, (void)instead, (void)arg;
}

void run__explain(const char *path, run_who_func *who_says, bool is_default)
{
	struct named heaps = { .who_says = who_says };
	struct settings settings;
	const char *place;

	settings__read(&settings, ignore, NULL);
	place = settings.place ? settings.place : settings.per_thread_local ? "local" : "any";
	if (settings.n_shares)
		explain_shares(&settings, who_says);
	else if (settings.per_thread_local)
		tool__say("each thread's blocks will lie on the node that it runs on, as in %s: %s says so", place,
			who_says("SITUS_PER_THREAD_LOCAL"));
	else
		tool__say("the heap will lie in %s: %s%s", place, is_default ? "the default" : who_says("SITUS_AREA"),
			is_default ? "" : " says so");
	if (settings.per_thread_local)
		explain_local(place);
	else if (!settings.n_shares)
		explain_links(place);
	explain_sizes(&settings, who_says);
	settings__each_heap(explain_heap, &heaps);
	settings__free(&settings);
	tool__say("%s can be preloaded: it is linked dynamically, for this machine, and gains no rights", path);
}

/* What */

static bool is_all_printable(const char *text)
{
	for (; *text; text += utf8__length(text))
		if (!utf8__is_printable(text))
			return false;
	return true;
}

/* A word that a shell reads as this text, and that no terminal obeys. */
static void show_word(FILE *stream, const char *text, bool is_quoted)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./,:@%^";
	const bool is_printable = is_all_printable(text);

	if (!is_quoted && *text && text[strspn(text, plain)] == 0) {
		fputs(text, stream);
		return;
	}
	fputs(is_printable ? "'" : "$'", stream);
	for (const char *c = text; *c; c++) {
		if (!is_printable && (*c & 0x80 || !utf8__is_printable(c)))
			fprintf(stream, "\\%03o", (unsigned char)*c);
		else if (*c == '\'')
			fputs(is_printable ? "'\\''" : "\\'", stream);
		else if (*c == '\\' && !is_printable)
			fputs("\\\\", stream);
		else
			putc(*c, stream);
	}
	putc('\'', stream);
}

/* SITUS_STATS for this very process, as it reads for any. */
static const char *stats_of_any(const char *value)
{
	char *end;

	if (strtol(value, &end, 10) != getpid())
		return value;
	return *end ? "1,json" : "1";
}

static void show_variable(FILE *stream, const char *name)
{
	const char *value = getenv(name);

	if (!value)
		return;
	fprintf(stream, "%s=", name);
	show_word(stream, strcmp(name, "SITUS_STATS") == 0 ? stats_of_any(value) : value, true);
	putc(' ', stream);
}

void run__show(FILE *stream, char **program, const char *path, const char *const *dropped)
{
	static const char *const names[] = {
		"LD_PRELOAD", "SITUS_AREA", "SITUS_RATIO", "SITUS_PER_THREAD_LOCAL", "SITUS_HEAPS", "SITUS_LIMIT",
		"SITUS_SIZE_MIN", "SITUS_SIZE_MAX", "SITUS_STATS", "SITUS_LISTEN", "SITUS_LOG",
	};

	if (*dropped)
		fputs("env ", stream);
	for (; *dropped; dropped++)
		fprintf(stream, "-u %s ", *dropped);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		show_variable(stream, names[i]);
	show_word(stream, path, false);
	for (char **arg = program + 1; *arg; arg++) {
		putc(' ', stream);
		show_word(stream, *arg, false);
	}
	putc('\n', stream);
}
