/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * place_words.h - the words of the place grammar, once, for those who read them and those who print
 * them.
 */
#ifndef AREA_PLACE_WORDS_H
#define AREA_PLACE_WORDS_H

#include "area/place.h"

/* Options, as bits of what a place takes. */
enum {
	TAKES_STRICT = 1 << PLACE_STRICT,
	TAKES_BIND = 1 << PLACE_BIND,
	TAKES_PREFERRED = 1 << PLACE_PREFERRED,
	TAKES_INTERLEAVE = 1 << PLACE_INTERLEAVE,
	TAKES_WEIGHTED = 1 << PLACE_WEIGHTED,
	TAKES_FIRSTTOUCH = 1 << PLACE_FIRSTTOUCH,
	TAKES_NODE = 1 << 8,
	TAKES_THP = 1 << 9,
	TAKES_NOTHP = 1 << 10,
	TAKES_POPULATE = 1 << 11,
	TAKES_LIMIT = 1 << 12,
	TAKES_KEEP = 1 << 13,

	TAKES_BINDING = TAKES_STRICT | TAKES_BIND | TAKES_PREFERRED | TAKES_INTERLEAVE | TAKES_WEIGHTED,
	TAKES_PAGES = TAKES_THP | TAKES_NOTHP | TAKES_POPULATE | TAKES_LIMIT,
	TAKES_CHOSEN = TAKES_BINDING | TAKES_FIRSTTOUCH | TAKES_PAGES,
	TAKES_ALL = TAKES_BINDING | TAKES_FIRSTTOUCH | TAKES_NODE | TAKES_PAGES,
};

struct place_option {
	const char *word;
	unsigned bit;
};

/* The text after the colon of a place's word. */
enum argument { NO_ARGUMENT, NODE_LIST, NUMBER, PAGE_SIZE, PATH, NAME };

struct place_word {
	const char *word;
	enum place_where where;
	enum argument argument;
	unsigned takes;
};

/* A word that ends in a colon is the beginning of its item; others are all of it. Of two words with
   one beginning the longer stands first. The policies are the first options, in their enum's order. */
#define PLACE_N_OPTIONS 12
#define PLACE_N_WORDS 17
extern const struct place_option place__options[PLACE_N_OPTIONS];
extern const struct place_word place__words[PLACE_N_WORDS];

#endif
