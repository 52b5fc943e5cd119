/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * settings.h - what the SITUS_... variables say, for the preload (which runs whatever they say) and for
 * `situs run` (which refuses what is wrong): one reader, so that both judge alike.
 *
 * Only the text is judged: whether a place can be had is known when it is opened. Everything is read by
 * secure_getenv, so a set-uid program has the defaults.
 */
#ifndef HEAP_SETTINGS_H
#define HEAP_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

enum {
	SETTINGS_SHARES_MAX = 16,
	SETTINGS_WEIGHT_MAX = 1000000,
};

enum settings_log { SETTINGS_ERROR, SETTINGS_WARN, SETTINGS_INFO, SETTINGS_DEBUG };

struct settings_share {
	const char *place;
	unsigned weight; /* 1 to SETTINGS_WEIGHT_MAX */
};

struct settings {
	const char *place; /* SITUS_AREA; NULL: not said */
	size_t limit, size_min, size_max; /* bytes; limit 0: none */
	struct settings_share shares[SETTINGS_SHARES_MAX]; /* SITUS_RATIO */
	int n_shares;
	bool per_thread_local;
	long stats; /* a table at exit: 0 never, 1 of every process, else of the process of that number */
	bool stats_as_json;
	bool has_wrong_heaps; /* SITUS_HEAPS is not of its form */
	enum settings_log log;
	char *shares_text; /* malloced; the shares point into it */
};

/* Is told of one bad value, as a sentence that names the variable, and what is done instead. */
typedef void settings_complain_func(const char *sentence, const char *instead, void *arg);

/*
 * Reads every variable; what is wrong is complained of and left at its default. Returns how many
 * complaints there were. settings__free frees what `settings` holds.
 */
int settings__read(struct settings *settings, settings_complain_func *complain, void *arg);
void settings__free(struct settings *settings);

/*
 * Reads "PLACE=weight,PLACE=weight" from text, which is cut into pieces that shares point into. A comma
 * ends a share where a weight stands before it, so that places may have options. How many shares, or
 * -EINVAL with *wrong at the words that are no share.
 */
int settings__parse_shares(char *text, struct settings_share shares[SETTINGS_SHARES_MAX],
	const char **wrong);

/*
 * Calls back for every "name=place" of SITUS_HEAPS; both texts end with the call. 0, -EINVAL with a
 * sentence, -ENOMEM, or what the callback returned.
 */
int settings__each_heap(int (*callback)(const char *name, const char *place, void *arg), void *arg);

/*
 * What local with options is for heaps by thread on one node: "local,thp" there is "node:2,preferred,thp",
 * "local,strict > any" is "node:2,strict > any". 0, or -EINVAL with a sentence.
 */
int settings__place_on_node(const char *local, int node, char *text, size_t size);

#endif
