/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench.c - situs bench: heaps of Situs beside the allocators that are installed here.
 *
 * Each figure comes from a process of its own: this very program, started again with the peer's library
 * preloaded. Rounds go through all peers, so that a machine that slows down slows all of them.
 */
#include "config.h"

#include "tool/bench.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "tool/places.h"
#include "tool/svg.h"
#include "tool/tool.h"

enum { KEY_ROUNDS = 256, KEY_WORK, KEY_LIBRARY, KEY_HEAP };

struct options {
	struct tool_common common;
	const char *place;
	long rounds;
	const char *work, *library, *heap; /* of a process that measures */
};

static const struct argp_option option_list[] = {
	{ "area", 'a', "PLACE", 0, "where Situs's blocks shall lie (default: any)", 0 },
	{ "rounds", KEY_ROUNDS, "N", 0, "how often everything is measured (default: 3)", 0 },
	TOOL_OPTION_JSON,
	TOOL_OPTION_SVG("the result"),
	{ "work", KEY_WORK, "NAME", OPTION_HIDDEN, NULL, 0 },
	{ "library", KEY_LIBRARY, "WORD", OPTION_HIDDEN, NULL, 0 },
	{ "heap", KEY_HEAP, "PLACE", OPTION_HIDDEN, NULL, 0 },
	TOOL_OPTIONS_END,
};

/* By soname, as packages install them; the first is what programs have without any of this. */
static const struct bench_peer candidates[] = {
	{ "glibc", "libc.so.6", false, NULL },
	{ "Situs heap", NULL, true, NULL },
	{ "situs run", "libsitus-preload.so", true, NULL },
	{ "jemalloc", "libjemalloc.so.2", false, "libjemalloc2" },
	{ "mimalloc", "libmimalloc.so.2", false, "libmimalloc2.0" },
	{ "tcmalloc", "libtcmalloc_minimal.so.4", false, "libtcmalloc-minimal4" },
	{ "tbbmalloc", "libtbbmalloc_proxy.so.2", false, "libtbbmalloc2" },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;
	char *end;

	switch (key) {
	case 'a':
		options->place = arg;
		return 0;
	case KEY_ROUNDS:
		options->rounds = strtol(arg, &end, 10);
		if (end == arg || *end || options->rounds < 1 || options->rounds > 100)
			tool__usage(state->name, "--rounds=%.40s is not a number from 1 to 100", arg);
		return 0;
	case KEY_WORK:
		options->work = arg;
		return 0;
	case KEY_LIBRARY:
		options->library = arg;
		return 0;
	case KEY_HEAP:
		options->heap = arg;
		return 0;
	case ARGP_KEY_END:
		if (options->common.json && options->common.svg && strcmp(options->common.svg, "-") == 0)
			tool__usage(state->name, "--json and --svg both write to standard output");
		return 0;
	default:
		return tool__common(key, arg, state, &options->common);
	}
}

/* Becomes the process that measures. */
static void __attribute__((noreturn)) start(const struct bench_peer *peer, const char *preload,
	const char *work, const char *place, int output)
{
	char *words[8] = { (char *)(uintptr_t)"situs", (char *)(uintptr_t)"bench",
		(char *)(uintptr_t)"--work", (char *)(uintptr_t)work };
	int null = open("/dev/null", O_WRONLY);

	words[4] = (char *)(uintptr_t)(peer->preload ? "--library" : "--heap");
	words[5] = (char *)(uintptr_t)(peer->preload ? peer->preload : place);
	unsetenv("LD_PRELOAD");
	unsetenv("SITUS_SIZE_MIN");
	unsetenv("SITUS_SIZE_MAX");
	unsetenv("SITUS_LIMIT");
	unsetenv("SITUS_RATIO");
	unsetenv("SITUS_PER_THREAD_LOCAL");
	unsetenv("SITUS_STATS");
	if ((preload && setenv("LD_PRELOAD", preload, 1)) || setenv("SITUS_AREA", place, 1) ||
		dup2(output, STDOUT_FILENO) < 0 || (null >= 0 && dup2(null, STDERR_FILENO) < 0))
		_exit(TOOL_FAILED);
	execv("/proc/self/exe", words);
	_exit(TOOL_FAILED);
}

enum { FAILED = -1, ABSENT = -2 };

/* One figure: nanoseconds; FAILED, or ABSENT where the peer is not here. */
static double measure(const struct bench_peer *peer, const char *preload, const char *work,
	const char *place)
{
	char text[64] = "";
	int ends[2], status;
	ssize_t n;
	pid_t pid;

	if (pipe(ends))
		return FAILED;
	pid = fork();
	if (pid == 0)
		start(peer, preload, work, place, ends[1]);
	close(ends[1]);
	n = pid < 0 ? -1 : read(ends[0], text, sizeof(text) - 1);
	close(ends[0]);
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return FAILED;
	if (WIFEXITED(status) && WEXITSTATUS(status) == BENCH_ABSENT)
		return ABSENT;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || n <= 0)
		return FAILED;
	return strtod(text, NULL);
}

static void show_progress(long round, long rounds, const char *work, const char *peer)
{
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[Kround %ld of %ld: %s, %s", round + 1, rounds, work, peer);
}

/* Takes the better figure; 0: none yet. */
static void add(double *best, double ns)
{
	if (ns > 0 ? *best <= 0 || ns < *best : *best == 0 && ns < FAILED)
		*best = ns;
}

/* Those that are here with their figures, those that are not with their names. */
static int sort_out(double best[][BENCH_N_WORKS], size_t n, struct bench_results *results)
{
	for (size_t i = 0; i < n; i++) {
		if (best[i][0] < 0) {
			results->absent[results->n_absent++] = candidates[i];
			continue;
		}
		results->peers[results->n_peers] = candidates[i];
		memcpy(results->ns[results->n_peers++], best[i], sizeof(best[i]));
		for (int work = 0; work < BENCH_N_WORKS; work++)
			results->n_figures += best[i][work] > 0;
	}
	return results->n_figures ? TOOL_OK : tool__fail(TOOL_FAILED, "nothing could be measured");
}

static int measure_all(const struct options *options, struct bench_results *results)
{
	const size_t n = sizeof(candidates) / sizeof(candidates[0]);
	double best[BENCH_MAX_PEERS][BENCH_N_WORKS] = { { 0 } };
	char ours[PATH_MAX];

	if (run__find_preload(ours, sizeof(ours)))
		return TOOL_FAILED;
	for (long round = 0; round < options->rounds; round++)
		for (int work = 0; work < BENCH_N_WORKS; work++)
			for (size_t i = 0; i < n; i++) {
				const struct bench_peer *peer = &candidates[i];
				const char *preload = peer->preload && peer->is_ours ? ours : peer->preload;

				show_progress(round, options->rounds, bench__works[work].name, peer->name);
				add(&best[i][work], measure(peer, preload, bench__works[work].name,
					options->place));
			}
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
	snprintf(results->place, sizeof(results->place), "%s", options->place);
	results->rounds = (int)options->rounds;
	return sort_out(best, n, results);
}

static void print_text(const struct bench_results *results)
{
	struct table *out = table__new(BENCH_N_WORKS + 1);

	table__add(out, false, "NS A BLOCK");
	for (int work = 0; work < BENCH_N_WORKS; work++)
		table__add(out, true, "%s", bench__works[work].name);
	for (size_t i = 0; i < results->n_peers; i++) {
		table__add(out, false, "%s", results->peers[i].name);
		for (int work = 0; work < BENCH_N_WORKS; work++) {
			if (results->ns[i][work] > 0)
				table__add(out, true, "%.*f", results->ns[i][work] < 1000 ? 1 : 0,
					results->ns[i][work]);
			else
				table__add(out, true, "failed");
		}
	}
	table__print(out, stdout);
	putchar('\n');
	for (int work = 0; work < BENCH_N_WORKS; work++)
		printf("%-8s %s\n", bench__works[work].name, bench__works[work].what);
	for (size_t i = 0; i < results->n_absent; i++)
		printf("%s is not here%s%s\n", results->absent[i].name,
			results->absent[i].package ? "; Debian package " : "",
			results->absent[i].package ? results->absent[i].package : "");
	printf("CPU time of malloc, first write and free, the best of %d rounds; Situs in %s. The whole\n"
	       "comparison is 'make bench' of the sources.\n", results->rounds, results->place);
}

static int print_json(const struct bench_results *results)
{
	json_t *peers = json_array(), *absent = json_array(), *works;

	for (size_t i = 0; i < results->n_peers; i++) {
		works = json_object();
		for (int work = 0; work < BENCH_N_WORKS; work++)
			json_object_set_new(works, bench__works[work].name, results->ns[i][work] > 0
				? json_real(results->ns[i][work]) : json_null());
		json_array_append_new(peers, json_pack("{ss so}", "name", results->peers[i].name,
			"cpu_ns_per_block", works));
	}
	for (size_t i = 0; i < results->n_absent; i++)
		json_array_append_new(absent, json_pack("{ss ss*}", "name", results->absent[i].name, "package",
			results->absent[i].package));
	return tool__json(json_pack("{ss si so so}", "place", results->place, "rounds", results->rounds, "peers",
		peers, "absent", absent));
}

int bench__main(int argc, char **argv)
{
	static const struct argp argp = {
		.options = option_list,
		.parser = parse,
		.doc = "Measures heaps of Situs beside the allocators that are installed here.\v"
		       "Takes some seconds. jemalloc, mimalloc, tcmalloc and tbbmalloc are measured where their "
		       "libraries are (Debian: libjemalloc2, libmimalloc2.0, libtcmalloc-minimal4, libtbbmalloc2).",
	};
	struct options options = { .rounds = 3, .place = "any" };
	struct bench_results results = { 0 };
	int status;

	tool__parse(&argp, argc, argv, 0, &options);
	if (options.work)
		return bench__work(options.work, options.heap, options.library);
	status = places__check(options.place);
	if (!status && options.common.svg)
		status = svg__check(options.common.svg);
	if (!status)
		status = measure_all(&options, &results);
	if (status)
		return status;
	if (options.common.svg)
		status = bench__draw(&results, options.common.svg);
	if (status || (options.common.svg && strcmp(options.common.svg, "-") == 0))
		return status;
	if (options.common.json)
		return print_json(&results);
	print_text(&results);
	return TOOL_OK;
}
