/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * place_format.c - the words of the place grammar, and places as text that parses to the same place.
 */
#include "area/place.h"
#include "area/place_words.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const struct place_option place__options[PLACE_N_OPTIONS] = {
	{"strict", TAKES_STRICT},
	{"bind", TAKES_BIND},
	{"preferred", TAKES_PREFERRED},
	{"interleave", TAKES_INTERLEAVE},
	{"weighted", TAKES_WEIGHTED},
	{"firsttouch", TAKES_FIRSTTOUCH},
	{"node:", TAKES_NODE},
	{"thp", TAKES_THP},
	{"nothp", TAKES_NOTHP},
	{"populate", TAKES_POPULATE},
	{"limit:", TAKES_LIMIT},
	{"keep", TAKES_KEEP},
};

const struct place_word place__words[PLACE_N_WORDS] = {
	{"node:", PLACE_NODE, NODE_LIST, TAKES_CHOSEN},
	{"tier:fastest", PLACE_TIER_FASTEST, NO_ARGUMENT, TAKES_CHOSEN},
	{"tier:largest", PLACE_TIER_LARGEST, NO_ARGUMENT, TAKES_CHOSEN},
	{"tier:nearest", PLACE_TIER_NEAREST, NO_ARGUMENT, TAKES_CHOSEN},
	{"tier:", PLACE_TIER_NUMBER, NUMBER, TAKES_CHOSEN},
	{"hbm", PLACE_HBM, NO_ARGUMENT, TAKES_CHOSEN},
	{"dram", PLACE_DRAM, NO_ARGUMENT, TAKES_CHOSEN},
	{"cxl", PLACE_CXL, NO_ARGUMENT, TAKES_CHOSEN},
	{"gpu", PLACE_GPU, NO_ARGUMENT, TAKES_CHOSEN},
	{"local", PLACE_LOCAL, NO_ARGUMENT, TAKES_FIRSTTOUCH | TAKES_PAGES},
	{"any", PLACE_ANY, NO_ARGUMENT, TAKES_BINDING | TAKES_FIRSTTOUCH | TAKES_PAGES},
	{"hugetlb:", PLACE_HUGETLB, PAGE_SIZE,
		TAKES_BINDING | TAKES_FIRSTTOUCH | TAKES_NODE | TAKES_POPULATE | TAKES_LIMIT},
	{"file:", PLACE_FILE, PATH, TAKES_ALL | TAKES_KEEP},
	{"shm:", PLACE_SHM, NAME, TAKES_ALL | TAKES_KEEP},
	{"anon", PLACE_ANON, NO_ARGUMENT, TAKES_ALL},
	{"cuda:", PLACE_CUDA, NUMBER, TAKES_POPULATE | TAKES_LIMIT},
	{"opencl:", PLACE_OPENCL, NUMBER, TAKES_POPULATE | TAKES_LIMIT},
};

/* How one byte is shown; its length. */
static size_t show(unsigned char c, char shown[5])
{
	bool plain = c >= 0x20 && c < 0x7f;

	return (size_t)snprintf(shown, 5, plain ? "%c" : "\\x%02x", c);
}

void place__quote(const char *text, size_t length, char *buffer, size_t size)
{
	size_t at = 0, cut = 0; /* cut: where "..." still fits */
	char shown[5];

	for (size_t i = 0; i < length; i++) {
		size_t n = show((unsigned char)text[i], shown);

		if (at + n >= size) {
			snprintf(buffer + cut, size - cut, "...");
			return;
		}
		memcpy(buffer + at, shown, n);
		at += n;
		if (at + 4 <= size)
			cut = at;
	}
	buffer[at] = '\0';
}

size_t place__name(const struct place *place, char *buffer, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < place->name_length; i++) {
		if (place->name[i] == '\\' && i + 1 < place->name_length)
			i++;
		if (n + 1 < size)
			buffer[n] = place->name[i];
		n++;
	}
	if (size > 0)
		buffer[n < size ? n : size - 1] = '\0';
	return n;
}

/* snprintf at the end of a growing text. */
struct text {
	char *buffer;
	size_t size, length;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *text, const char *format, ...)
{
	size_t at = text->length < text->size ? text->length : text->size;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(at < text->size ? text->buffer + at : NULL, text->size - at, format, args);
	va_end(args);
	if (n > 0)
		text->length += (size_t)n;
}

static void add_size(struct text *text, const char *word, size_t size)
{
	static const char units[] = "KMGTP";
	const char *unit = NULL;

	for (const char *u = units; *u && size % 1024 == 0; u++) {
		size /= 1024;
		unit = u;
	}
	add(text, "%s%zu%.*s", word, size, unit ? 1 : 0, unit ? unit : "");
}

static void add_nodes(struct text *text, const struct os_nodes *nodes)
{
	char list[5 * OS_MAX_NODES];

	add(text, "%s", os__nodes_text(nodes, list, sizeof(list)));
}

static void add_where(struct text *text, const struct place *place)
{
	for (size_t i = 0; i < PLACE_N_WORDS; i++) {
		if (place__words[i].where != place->where)
			continue;
		switch (place__words[i].argument) {
		case NODE_LIST:
			add(text, "%s", place__words[i].word);
			add_nodes(text, &place->nodes);
			return;
		case NUMBER:
			add(text, "%s%u", place__words[i].word, place->number);
			return;
		case PAGE_SIZE:
			add_size(text, place__words[i].word, place->page_size);
			return;
		case PATH:
		case NAME:
			add(text, "%s%.*s", place__words[i].word, (int)place->name_length, place->name);
			return;
		case NO_ARGUMENT:
			add(text, "%s", place__words[i].word);
			return;
		}
	}
}

size_t place__format(const struct place *place, char *buffer, size_t size)
{
	struct text text = {buffer, size, 0};

	if (size > 0)
		buffer[0] = '\0';
	add_where(&text, place);
	if (place->has_nodes && place->where != PLACE_NODE) {
		add(&text, ",node:");
		add_nodes(&text, &place->nodes);
	}
	if (place->policy != PLACE_POLICY_NONE)
		add(&text, ",%s", place__options[place->policy - PLACE_STRICT].word);
	if (place->thp)
		add(&text, "%s", place->thp > 0 ? ",thp" : ",nothp");
	if (place->populate)
		add(&text, ",populate");
	if (place->keep)
		add(&text, ",keep");
	if (place->limit)
		add_size(&text, ",limit:", place->limit);
	return text.length;
}

bool place__needs_topology(const struct place *place)
{
	return place->where >= PLACE_TIER_FASTEST && place->where <= PLACE_GPU;
}

enum aml_area_linux_policy place__policy(const struct place *place, unsigned n_nodes)
{
	switch (place->policy) {
	case PLACE_STRICT:
		return AML_AREA_LINUX_POLICY_STRICT;
	case PLACE_BIND:
		return AML_AREA_LINUX_POLICY_BIND;
	case PLACE_PREFERRED:
		return n_nodes == 1 ? AML_AREA_LINUX_POLICY_PREFERRED
				    : AML_AREA_LINUX_POLICY_PREFERRED_MANY;
	case PLACE_INTERLEAVE:
		return AML_AREA_LINUX_POLICY_INTERLEAVE;
	case PLACE_WEIGHTED:
		return AML_AREA_LINUX_POLICY_WEIGHTED_INTERLEAVE;
	case PLACE_FIRSTTOUCH: /* within a set, a bound mapping takes the touching thread's nearest */
	case PLACE_POLICY_NONE:
		break;
	}
	return n_nodes > 0 ? AML_AREA_LINUX_POLICY_BIND : AML_AREA_LINUX_POLICY_DEFAULT;
}
