/* SPDX-License-Identifier: BSD-3-Clause */
#include "heap/settings.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "area/place.h"
#include "base/error.h"
#include "base/size.h"
#include "heap/heap.h"

struct reader {
	settings_complain_func *complain;
	void *arg;
	int n_complaints;
};

__attribute__((format(printf, 3, 4))) static void complain(struct reader *reader, const char *instead,
	const char *format, ...)
{
	char sentence[320];
	va_list args;

	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	reader->n_complaints++;
	reader->complain(sentence, instead, reader->arg);
}

/* The value of a variable, or NULL where it is not set or empty. */
static const char *value_of(const char *name)
{
	const char *value = secure_getenv(name);

	return value && *value ? value : NULL;
}

static enum settings_log read_log(struct reader *reader)
{
	static const char *const names[] = { "error", "warn", "info", "debug" };
	const char *value = value_of("SITUS_LOG");

	if (!value)
		return SETTINGS_WARN;
	for (int i = 0; i < (int)(sizeof(names) / sizeof(names[0])); i++)
		if (strcmp(value, names[i]) == 0)
			return (enum settings_log)i;
	complain(reader, "using warn", "SITUS_LOG=%.40s is not one of error, warn, info, debug", value);
	return SETTINGS_WARN;
}

static size_t read_size(struct reader *reader, const char *name, size_t otherwise)
{
	const char *value = value_of(name);
	size_t size;

	if (!value)
		return otherwise;
	switch (size__parse(value, &size)) {
	case 0:
		return size;
	case -ERANGE:
		complain(reader, "ignored", "%s=%.40s is more than any machine has", name, value);
		return otherwise;
	default:
		complain(reader, "ignored", "%s=%.40s is not a size: a number, then K, M, G or T", name, value);
		return otherwise;
	}
}

static bool read_switch(struct reader *reader, const char *name)
{
	const char *value = value_of(name);

	if (!value || strcmp(value, "0") == 0)
		return false;
	if (strcmp(value, "1") == 0)
		return true;
	complain(reader, "ignored", "%s=%.40s is not 0 or 1", name, value);
	return false;
}

/* "1", or "1,json". */
static void read_stats(struct reader *reader, struct settings *settings)
{
	const char *value = value_of("SITUS_STATS");
	bool as_json;
	char *end;
	long number;

	if (!value)
		return;
	number = strtol(value, &end, 10);
	as_json = strcmp(end, ",json") == 0;
	if (*value < '0' || *value > '9' || (*end && !as_json) || number > INT_MAX) {
		complain(reader, "ignored", "SITUS_STATS=%.40s is not 0, 1 or a process's number, nor one of them and "
			",json", value);
		return;
	}
	settings->stats = number;
	settings->stats_as_json = as_json;
}

/* The weight at text, with *end after its digits; 0: none. */
static unsigned parse_weight(const char *text, const char **end)
{
	unsigned weight = 0;

	for (; *text >= '0' && *text <= '9' && weight <= SETTINGS_WEIGHT_MAX; text++)
		weight = weight * 10 + (unsigned)(*text - '0');
	*end = text;
	return (*text == '\0' || *text == ',') && weight <= SETTINGS_WEIGHT_MAX ? weight : 0;
}

/* The = that ends a share's place; NULL: there is none. */
static char *end_of_place(char *text, unsigned *weight, const char **end)
{
	for (char *at = strchr(text, '='); at; at = strchr(at + 1, '=')) {
		*weight = parse_weight(at + 1, end);
		if (*weight)
			return at;
	}
	return NULL;
}

int settings__parse_shares(char *text, struct settings_share shares[SETTINGS_SHARES_MAX],
	const char **wrong)
{
	const char *end;
	int n = 0;

	for (;; n++) {
		char *equals;
		unsigned weight;

		*wrong = text;
		if (n == SETTINGS_SHARES_MAX)
			return -EINVAL;
		equals = end_of_place(text, &weight, &end);
		if (!equals || equals == text)
			return -EINVAL;
		*equals = '\0';
		shares[n] = (struct settings_share){ .place = text, .weight = weight };
		if (*end == '\0')
			return n + 1;
		text += end + 1 - text;
	}
}

static void read_shares(struct reader *reader, struct settings *settings)
{
	const char *value = value_of("SITUS_RATIO"), *wrong;
	int n;

	if (!value)
		return;
	settings->shares_text = strdup(value);
	if (!settings->shares_text) {
		complain(reader, "ignored", "SITUS_RATIO: out of memory");
		return;
	}
	n = settings__parse_shares(settings->shares_text, settings->shares, &wrong);
	if (n > 0)
		settings->n_shares = n;
	else
		complain(reader, "ignored", "SITUS_RATIO: \"%.60s\" is not PLACE=weight,PLACE=weight (at most %d, "
			"weights from 1 to %d)", wrong, SETTINGS_SHARES_MAX, SETTINGS_WEIGHT_MAX);
}

/* What does not go together; the more particular wish wins. */
static void settle(struct reader *reader, struct settings *settings)
{
	if (settings->size_min > settings->size_max) {
		complain(reader, "both ignored", "the smallest size, SITUS_SIZE_MIN, is above the largest, SITUS_SIZE_MAX");
		settings->size_min = 0;
		settings->size_max = SIZE_MAX;
	}
	if (settings->n_shares && settings->per_thread_local) {
		complain(reader, "the latter ignored",
			"SITUS_RATIO and SITUS_PER_THREAD_LOCAL are both set; only one can choose the place");
		settings->per_thread_local = false;
	}
	if (settings->n_shares && settings->place) {
		complain(reader, "the latter ignored",
			"SITUS_RATIO and SITUS_AREA are both set; only one can choose the place");
		settings->place = NULL;
	}
	if (settings->per_thread_local && settings->place && strcmp(settings->place, "local") != 0 &&
		strncmp(settings->place, "local,", strlen("local,")) != 0) {
		complain(reader, "using local", "SITUS_AREA=%.100s: heaps by thread lie in local, which options "
			"may follow (local,thp)", settings->place);
		settings->place = "local";
	}
}

static int accept(const char *name, const char *place, void *arg)
{
	(void)name, (void)place, (void)arg;
	return 0;
}

int settings__read(struct settings *settings, settings_complain_func *func, void *arg)
{
	struct reader reader = { .complain = func, .arg = arg };

	*settings = (struct settings){ .place = secure_getenv("SITUS_AREA") };
	/* First: it says whether the others may be talked about. */
	settings->log = read_log(&reader);
	settings->limit = read_size(&reader, "SITUS_LIMIT", 0);
	settings->size_min = read_size(&reader, "SITUS_SIZE_MIN", 0);
	settings->size_max = read_size(&reader, "SITUS_SIZE_MAX", SIZE_MAX);
	read_stats(&reader, settings);
	settings->per_thread_local = read_switch(&reader, "SITUS_PER_THREAD_LOCAL");
	(void)read_switch(&reader, "SITUS_LISTEN");  /* channel.c's */
	(void)read_switch(&reader, "SITUS_PUBLISH"); /* publish.c's */
	read_shares(&reader, settings);
	settings->has_wrong_heaps = settings__each_heap(accept, NULL) != 0;
	if (settings->has_wrong_heaps)
		complain(&reader, "ignored", "%s", error__text());
	settle(&reader, settings);
	return reader.n_complaints;
}

void settings__free(struct settings *settings)
{
	free(settings->shares_text);
	settings->shares_text = NULL;
	settings->n_shares = 0;
}

int settings__each_heap(int (*callback)(const char *name, const char *place, void *arg), void *arg)
{
	const char *value = value_of("SITUS_HEAPS");
	char *copy, *text, *next;
	int err = 0;

	if (!value)
		return 0;
	copy = strdup(value);
	if (!copy)
		return error__set(ENOMEM, "SITUS_HEAPS: out of memory");
	for (text = copy; err == 0 && text; text = next) {
		char *equals;

		next = strchr(text, ';');
		if (next)
			*next++ = '\0';
		equals = strchr(text, '=');
		if (*text == '\0')
			continue;
		if (!equals || equals == text || equals[1] == '\0') {
			err = error__set(EINVAL, "SITUS_HEAPS: \"%.60s\" is not name=place", text);
		} else if (equals - text >= HEAP_NAME_SIZE) {
			err = error__set(EINVAL, "SITUS_HEAPS: the name \"%.60s...\" is longer than %d", text,
				HEAP_NAME_SIZE - 1);
		} else {
			*equals = '\0';
			err = callback(text, equals + 1, arg);
		}
	}
	free(copy);
	return err;
}

int settings__place_on_node(const char *local, int node, char *text, size_t size)
{
	const char *rest = local + strlen("local");
	struct place_chain chain;
	struct place_error error;
	int n = snprintf(text, size, "node:%d%s", node, rest);

	if (n < 0 || (size_t)n >= size)
		return error__set(EINVAL, "\"%.60s...\" is too long", local);
	if (place__parse(text, &chain, &error))
		return error__set(EINVAL, "\"%.60s\" on node %d: %s", local, node, error.text);
	if (chain.link[0].policy != PLACE_POLICY_NONE)
		return 0;
	n = snprintf(text, size, "node:%d,preferred%s", node, rest);
	return (size_t)n < size ? 0 : error__set(EINVAL, "\"%.60s...\" is too long", local);
}
