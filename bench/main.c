/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * main.c - a peer's program.
 *
 *   peer_NAME [OPTION...] info                   what this is, as JSON
 *   peer_NAME [OPTION...] micro [FLAG...]        micro-benchmarks; flags are google-benchmark's
 *   peer_NAME [OPTION...] work NAME              one workload, its account as JSON
 *
 *   --place=PLACE --decay0 --threads=N --scale=F --node=N
 *
 * Exit status: 0; 1 what was measured misbehaved; 2 wrong usage; 77 it cannot be measured here, and
 * standard error says why.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/machine.h"
#include "bench/micro.h"
#include "bench/work/work.h"

struct options {
	struct peer_options peer;
	unsigned n_threads;
	double scale;
	int node;
};

static int cannot(const char *why)
{
	fprintf(stderr, "%s: %s\n", peer.name, why);
	return WORK_NO_MEMORY;
}

static int usage(const char *program)
{
	fprintf(stderr, "Usage: %s [--place=PLACE] [--decay0] [--threads=N] [--scale=F] [--node=N] "
			"info | micro [FLAG...] | work NAME\n", program);
	return 2;
}

static int info(void)
{
	printf("{\"name\": \"%s\", \"placement\": \"%s\", \"version\": \"%s\", \"grain\": %zu, "
	       "\"available\": %zu, \"decay0\": %s, \"built\": \"%s\", \"works\": [",
		peer.name, peer.placement, peer.version(), peer.grain, machine_available(),
		peer.has_decay0 ? "true" : "false", BENCH_BUILT);
	for (size_t i = 0; work_all[i] != NULL; i++)
		printf("%s{\"name\": \"%s\", \"what\": \"%s\"}", i == 0 ? "" : ", ", work_all[i]->name,
			work_all[i]->what);
	puts("]}");
	return 0;
}

/* Twice what it will hold must be there: others live here too. */
static const char *too_little_memory(const struct work *work, const struct options *options)
{
	static char why[128];
	double grain = (double)(work->blocks * peer.grain);
	double bytes = (double)work->bytes > grain ? (double)work->bytes : grain;
	double available = (double)machine_available();

	bytes *= 2 * (options->scale < 1 ? options->scale : 1);
	if (bytes <= available)
		return NULL;
	snprintf(why, sizeof(why), "%s wants %.0f MiB free, there are %.0f", work->name, bytes / (1 << 20),
		available / (1 << 20));
	return why;
}

static void print_account(const struct work *work, const struct work_run *run, const struct usage *from,
	const struct usage *to, size_t resident)
{
	printf("{\"work\": \"%s\", \"threads\": %u, \"cpus\": %u, \"cpu\": %.6f, \"system\": %.6f, "
	       "\"wall\": %.6f, \"peak\": %zu, \"before\": %zu, \"minor_faults\": %ld, "
	       "\"major_faults\": %ld, \"looked\": %zu, \"off_node\": %ld}\n",
		work->name, run->n_threads, machine_cpus(),
		to->user - from->user + to->system - from->system, to->system - from->system,
		to->wall - from->wall, machine_peak(), resident, to->minor_faults - from->minor_faults,
		to->major_faults - from->major_faults, run->looked, run->off_node);
}

static int do_work(const char *name, const struct options *options)
{
	struct work_run run = { .scale = options->scale, .node = options->node };
	struct usage from, to;
	size_t resident = machine_resident();
	const char *why;

	for (size_t i = 0; work_all[i] != NULL; i++) {
		const struct work *work = work_all[i];

		if (strcmp(work->name, name) != 0)
			continue;
		why = too_little_memory(work, options);
		if (why != NULL)
			return cannot(why);
		run.n_threads = work->n_threads != 0 ? work->n_threads
			: options->n_threads < 2     ? 2
						     : options->n_threads;
		machine_usage(&from);
		work->run(&run);
		machine_usage(&to);
		print_account(work, &run, &from, &to, resident);
		return 0;
	}
	fprintf(stderr, "there is no workload %s; 'info' lists them\n", name);
	return 2;
}

static const struct option long_options[] = {
	{ "place", required_argument, NULL, 'p' },
	{ "decay0", no_argument, NULL, 'd' },
	{ "threads", required_argument, NULL, 't' },
	{ "scale", required_argument, NULL, 's' },
	{ "node", required_argument, NULL, 'n' },
	{ NULL, 0, NULL, 0 },
};

/* 0, or the exit status. */
static int read_options(int argc, char **argv, struct options *options)
{
	char *end = NULL;
	int c;

	while ((c = getopt_long(argc, argv, "+", long_options, NULL)) != -1) {
		if (c == 'p')
			options->peer.place = optarg;
		else if (c == 'd')
			options->peer.decay0 = true;
		else if (c == 't')
			options->n_threads = (unsigned)strtoul(optarg, &end, 10);
		else if (c == 's')
			options->scale = strtod(optarg, &end);
		else if (c == 'n')
			options->node = (int)strtol(optarg, &end, 10);
		else
			return usage(argv[0]);
		if (end != NULL && *end != '\0')
			return usage(argv[0]);
	}
	if (options->n_threads < 1 || options->n_threads > 256 || !(options->scale > 0 && options->scale <= 1000))
		return usage(argv[0]);
	return 0;
}

int main(int argc, char **argv)
{
	struct options options = { .peer.place = "node:0", .n_threads = 2, .scale = 1 };
	const char *why;
	int status = read_options(argc, argv, &options);

	if (status != 0)
		return status;
	argc -= optind;
	argv += optind;
	if (argc < 1)
		return usage("peer");
	if (strcmp(argv[0], "info") == 0)
		return info();
	if (options.peer.decay0 && !peer.has_decay0)
		return cannot("cannot be told to give pages back at once");
	why = machine_too_small();
	if (why == NULL && peer.open != NULL)
		why = peer.open(&options.peer);
	if (why != NULL)
		return cannot(why);
	if (strcmp(argv[0], "micro") == 0) {
		status = micro_main(argc, argv);
	} else if (strcmp(argv[0], "work") == 0 && argc == 2) {
		peer_thread_begin();
		status = do_work(argv[1], &options);
		peer_thread_end();
	} else {
		status = usage("peer");
	}
	return status;
}
