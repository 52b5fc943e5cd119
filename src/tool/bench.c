/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench.c - situs bench: becomes the quick form of the benchmark suite (bench/quick of the sources).
 *
 * The suite lies beside this very binary in a build folder, or where `make install` put it. It is in
 * Python; its programs, one for each allocator, are built where google-benchmark was found.
 */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool/places.h"
#include "tool/svg.h"
#include "tool/tool.h"

enum { KEY_ROUNDS = 256, KEY_ONLY, MOST_WORDS = 16 };

struct options {
	struct tool_common common;
	const char *place;
	const char *rounds;
	const char *only[MOST_WORDS];
	size_t n_only;
};

static const struct argp_option option_list[] = {
	{ "area", 'a', "PLACE", 0, "where Situs's blocks shall lie (default: node:0)", 0 },
	{ "rounds", KEY_ROUNDS, "N", 0, "how often everything is measured (default: 3)", 0 },
	{ "only", KEY_ONLY, "WORD", 0, "only what has WORD in its name, such as workload or 'program redis'; "
		"may be repeated", 0 },
	TOOL_OPTION_JSON,
	TOOL_OPTION_SVG("the result"),
	TOOL_OPTIONS_END,
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;
	char *end;
	long n;

	switch (key) {
	case 'a':
		options->place = arg;
		return 0;
	case KEY_ROUNDS:
		n = strtol(arg, &end, 10);
		if (end == arg || *end || n < 1 || n > 100)
			tool__usage(state->name, "--rounds=%.40s is not a number from 1 to 100", arg);
		options->rounds = arg;
		return 0;
	case KEY_ONLY:
		if (!*arg)
			tool__usage(state->name, "--only is empty, which everything has in its name");
		if (options->n_only == MOST_WORDS)
			tool__usage(state->name, "--only can be given %d times at most", MOST_WORDS);
		options->only[options->n_only++] = arg;
		return 0;
	case ARGP_KEY_END:
		if (options->common.json && options->common.svg && strcmp(options->common.svg, "-") == 0)
			tool__usage(state->name, "--json and --svg both write to standard output");
		return 0;
	default:
		return tool__common(key, arg, state, &options->common);
	}
}

/* The suite in `folder` (ending with a slash) + `below`: its path, where it can be read. */
static bool suite_in(const char *folder, const char *below, char *path, size_t size)
{
	return (size_t)snprintf(path, size, "%s%s/quick", folder, below) < size && access(path, R_OK) == 0;
}

/* situs, and the suite's program that runs its quick form. The exit status. */
static int find_suite(char *situs, char *path, size_t size)
{
	char folder[PATH_MAX] = "/";
	ssize_t n = readlink("/proc/self/exe", situs, size - 1);

	situs[n > 0 ? n : 0] = 0;
	memcpy(folder, situs, (size_t)(strrchr(situs, '/') ? strrchr(situs, '/') + 1 - situs : 0));
	if (suite_in(folder, "bench", path, size) || suite_in(folder, "../libexec/situs/bench", path, size) ||
		suite_in(PKGLIBEXECDIR, "/bench", path, size))
		return TOOL_OK;
	return tool__fail(TOOL_FAILED, "the benchmark suite is not here (no %s); it is built and installed where "
		"configure found google-benchmark, Debian package libbenchmark-dev", path);
}

/* What a caller's environment would have the measured programs do. */
static void forget_settings(void)
{
	static const char *const names[] = { "LD_PRELOAD", "SITUS_AREA", "SITUS_HEAPS", "SITUS_LIMIT",
		"SITUS_PER_THREAD_LOCAL", "SITUS_RATIO", "SITUS_SIZE_MAX", "SITUS_SIZE_MIN", "SITUS_STATS" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unsetenv(names[i]);
}

static int become(const struct options *options, const char *situs, const char *suite)
{
	const char *words[16 + 2 * MOST_WORDS] = { "python3", suite, "--situs", situs, "--area", options->place };
	size_t n = 6;

	if (options->rounds) {
		words[n++] = "--rounds";
		words[n++] = options->rounds;
	}
	for (size_t i = 0; i < options->n_only; i++) {
		words[n++] = "--only";
		words[n++] = options->only[i];
	}
	if (options->common.json)
		words[n++] = "--json";
	if (options->common.svg) {
		words[n++] = "--svg";
		words[n++] = options->common.svg;
	}
	forget_settings();
	execvp(words[0], (char **)(uintptr_t)words);
	return tool__fail(TOOL_FAILED, "the benchmark suite is in Python: python3 cannot be started: %s%s",
		strerror(errno), errno == ENOENT ? "; Debian package python3" : "");
}

int bench__main(int argc, char **argv)
{
	static const struct argp argp = {
		.options = option_list,
		.parser = parse,
		.doc = "Runs the quick form of the benchmark suite: heaps of Situs and programs under situs run, beside "
		       "the allocators that are installed here.\v"
		       "Takes three minutes. What is missing here is named. --json prints what bench/compare of the "
		       "sources compares.",
	};
	struct options options = { .place = "node:0" };
	char situs[PATH_MAX], suite[PATH_MAX];
	int status;

	tool__parse(&argp, argc, argv, 0, &options);
	status = places__check(options.place);
	if (!status)
		status = find_suite(situs, suite, sizeof(suite));
	if (!status && options.common.svg)
		status = svg__check(options.common.svg);
	return status ? status : become(&options, situs, suite);
}
