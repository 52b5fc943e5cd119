/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * run.c - situs run: checks everything, sets the environment, becomes the program.
 *
 * What `situs run` decides it hands to the preload in the SITUS_... variables, so that the program's
 * own children inherit it. Everything is checked before anything is set: a place that cannot be had
 * or a program that a preload cannot enter is an error here, and nothing is started.
 */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aml.h"
#include "area/place.h"
#include "base/error.h"
#include "heap/publish.h"
#include "heap/settings.h"
#include "os/os.h"
#include "tool/program.h"
#include "tool/run.h"
#include "tool/tool.h"

#define PRELOAD_NAME "libsitus-preload.so"

enum {
	KEY_LIMIT = 256,
	KEY_SIZE_MIN,
	KEY_SIZE_MAX,
	KEY_RATIO,
	KEY_HEAP,
	KEY_PER_THREAD_LOCAL,
	KEY_STATS,
	KEY_LISTEN,
	KEY_DRY_RUN,
};

struct run {
	bool dry_run, verbose;
	bool by_default; /* nobody said a place */
	char **program;
};

/* Options that are variables for the preload. */
static struct variable_option {
	int key;
	const char *option, *variable;
	bool given; /* by the option: what is wrong is told of that */
} variables[] = {
	{ 'a', "--area", "SITUS_AREA", false },
	{ KEY_RATIO, "--ratio", "SITUS_RATIO", false },
	{ KEY_PER_THREAD_LOCAL, "--per-thread-local", "SITUS_PER_THREAD_LOCAL", false },
	{ KEY_HEAP, "--heap", "SITUS_HEAPS", false },
	{ KEY_LIMIT, "--limit", "SITUS_LIMIT", false },
	{ KEY_SIZE_MIN, "--size-min", "SITUS_SIZE_MIN", false },
	{ KEY_SIZE_MAX, "--size-max", "SITUS_SIZE_MAX", false },
	{ KEY_STATS, "--stats", "SITUS_STATS", false },
	{ KEY_LISTEN, "--listen", "SITUS_LISTEN", false },
};
#define N_VARIABLES (sizeof(variables) / sizeof(variables[0]))

/* NULL: no such key. */
static struct variable_option *variable(int key)
{
	for (size_t i = 0; i < N_VARIABLES; i++)
		if (variables[i].key == key)
			return &variables[i];
	return NULL;
}

static bool given(int key)
{
	return variable(key)->given;
}

static const struct argp_option options[] = {
	{ "area", 'a', "PLACE", 0, "where the heap shall lie, for example node:0 (default: any)", 0 },
	{ "ratio", KEY_RATIO, "PLACE=WEIGHT,...", 0, "split the heap's bytes among places by weight", 0 },
	{ "per-thread-local", KEY_PER_THREAD_LOCAL, NULL, 0, "each thread's blocks lie on the node it runs on", 0 },
	{ "heap", KEY_HEAP, "NAME=PLACE", 0, "where a heap that the program itself named shall lie", 0 },
	{ "limit", KEY_LIMIT, "SIZE", 0, "bytes the heap may hold; beyond, malloc gives NULL", 0 },
	{ "size-min", KEY_SIZE_MIN, "SIZE", 0, "smaller blocks stay with the program's own malloc", 0 },
	{ "size-max", KEY_SIZE_MAX, "SIZE", 0, "larger blocks stay with the program's own malloc", 0 },
	{ "stats", KEY_STATS, "json", OPTION_ARG_OPTIONAL, "print a table of the heaps when the program exits, or JSON",
		0 },
	{ "listen", KEY_LISTEN, NULL, 0, "a thread in the program answers 'situs migrate' at once", 0 },
	{ "dry-run", KEY_DRY_RUN, NULL, 0, "print what would be done, and do nothing", 0 },
	{ "verbose", 'v', NULL, 0, "say what was decided and why", 0 },
	TOOL_OPTIONS_END,
};

/* Options become the variables they stand for; the check below covers both. */
static void set(const char *name, const char *value)
{
	if (setenv(name, value, 1))
		exit(tool__fail(TOOL_FAILED, "out of memory"));
}

/* One more name=place; of two for one name, the later counts. */
static void add_heap(const char *heap, const char *command)
{
	const char *before = getenv("SITUS_HEAPS");
	char *value;

	if (strchr(heap, ';'))
		tool__usage(command, "--heap=%.60s: names and places have no ;", heap);
	if (asprintf(&value, "%s%s%s", before ? before : "", before && *before ? ";" : "", heap) < 0)
		exit(tool__fail(TOOL_FAILED, "out of memory"));
	set("SITUS_HEAPS", value);
	free(value);
}

static void set_by_option(struct variable_option *which, const char *arg, const char *command)
{
	char value[32];

	if (arg && !*arg && which->key != 'a')
		tool__usage(command, "%s is empty", which->option);
	which->given = true;
	switch (which->key) {
	case KEY_HEAP:
		add_heap(arg, command);
		break;
	case KEY_STATS:
		if (arg && strcmp(arg, "json") != 0)
			tool__usage(command, "--stats=%.40s: a table, or --stats=json", arg);
		/* The program's alone, which takes this process over: its children's streams stay their own. */
		snprintf(value, sizeof(value), "%ld%s", (long)getpid(), arg ? ",json" : "");
		set(which->variable, value);
		break;
	default:
		set(which->variable, arg ? arg : "1");
	}
}

/* Variables that are here and shall not be there. */
static const char *dropped[4];

static void drop(const char *name)
{
	size_t n = 0;

	if (!getenv(name))
		return;
	while (dropped[n])
		n++;
	dropped[n] = name;
	unsetenv(name);
}

/* What chooses the place is said once; what an outer run said of it is over. */
static void settle(const char *command)
{
	bool by_area = given('a'), by_ratio = given(KEY_RATIO), by_thread = given(KEY_PER_THREAD_LOCAL);

	if (by_ratio && (by_area || by_thread))
		tool__usage(command, "--ratio says where blocks lie; it does not go with %s",
			by_area ? "--area" : "--per-thread-local");
	if (by_ratio || (by_thread && !by_area))
		drop("SITUS_AREA");
	if (by_area || by_thread)
		drop("SITUS_RATIO");
	if ((by_area || by_ratio) && !by_thread)
		drop("SITUS_PER_THREAD_LOCAL");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct run *run = state->input;
	struct variable_option *which = variable(key);

	if (which) {
		set_by_option(which, arg, state->name);
		return 0;
	}
	switch (key) {
	case KEY_DRY_RUN:
		run->dry_run = true;
		return 0;
	case 'v':
		run->verbose = true;
		return 0;
	case ARGP_KEY_ARGS:
		/* The program and everything after it is its own. */
		run->program = state->argv + state->next;
		state->next = state->argc;
		return 0;
	case ARGP_KEY_NO_ARGS:
		tool__usage(state->name, "which program? situs run --area PLACE -- PROGRAM ARGS...");
	case ARGP_KEY_END:
		settle(state->name);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* The first complaint is the line that is printed; what came by an option is named so. */
static void complain(const char *sentence, const char *instead, void *arg)
{
	int *status = arg;

	(void)instead;
	if (*status != TOOL_OK)
		return;
	for (size_t i = 0; i < N_VARIABLES; i++) {
		size_t length = strlen(variables[i].variable);

		if (variables[i].given && strncmp(sentence, variables[i].variable, length) == 0 &&
			strchr("=:", sentence[length])) {
			*status = tool__fail(TOOL_USAGE, "%s%s", variables[i].option, sentence + length);
			return;
		}
	}
	*status = tool__fail(TOOL_USAGE, "%s", sentence);
}

/* What would do, where the words of the failure are the kernel's. */
static const char *advice(const char *place, int err)
{
	struct place_chain chain;
	struct place_error error;

	if (err == -AML_ENOTSUP || place__parse(place, &chain, &error))
		return "";
	for (int i = 0; i < chain.n_links; i++)
		if (chain.link[i].where == PLACE_FILE || chain.link[i].where == PLACE_SHM)
			return chain.link[i].where == PLACE_FILE ? "; file: takes a folder that you may write to, or a "
				"file there that is new or empty" : "; shm: takes a word that is new, or that you used before";
	return "";
}

/* Opens the place and maps one page there: what the kernel refuses is known before the start. `of`: whose it
   is, where the place alone does not say. */
static int check_place(const char *place, const char *of)
{
	struct aml_area *area;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *memory;
	int err;

	err = aml_area_open(&area, place);
	if (err)
		return tool__fail(tool__status(err), "%s%s%s", of, error__text(), advice(place, err));
	memory = aml_area_mmap(area, NULL, page);
	if (memory)
		aml_area_munmap(area, memory, page);
	else if (strncmp(error__text(), place, strlen(place)) == 0 && error__text()[strlen(place)] == ':')
		err = tool__fail(TOOL_FAILED, "%snothing can be had from %.400s", of, error__text());
	else
		err = tool__fail(TOOL_FAILED, "%snothing can be had from %.100s: %.300s", of, place, error__text());
	aml_area_close(&area);
	return err;
}

/* Heaps by thread: the place on every node that a thread may come to. */
static int check_local(const char *local)
{
	struct os_nodes nodes;
	char place[256];
	int status = TOOL_OK;

	if (os__nodes_allowed(&nodes) < 0)
		return check_place("local", "");
	for (int node = os__nodes_next(&nodes, 0); node >= 0 && !status; node = os__nodes_next(&nodes, node + 1)) {
		if (settings__place_on_node(local, node, place, sizeof(place)))
			return tool__fail(TOOL_USAGE, "%s", error__text());
		status = check_place(place, "--per-thread-local: ");
	}
	return status;
}

static int check_heap(const char *name, const char *place, void *arg)
{
	char of[100];

	(void)arg;
	snprintf(of, sizeof(of), "heap %.60s: ", name);
	return check_place(place, of);
}

/* Every variable's words, then every place they name. */
static int check_environment(void)
{
	struct settings settings;
	int status = TOOL_OK;

	settings__read(&settings, complain, &status);
	for (int i = 0; !status && i < settings.n_shares; i++)
		status = check_place(settings.shares[i].place, "");
	if (!status && settings.per_thread_local)
		status = check_local(settings.place ? settings.place : "local");
	else if (!status && !settings.n_shares)
		status = check_place(settings.place ? settings.place : "any",
			settings.place && !given('a') ? "SITUS_AREA: " : "");
	if (!status)
		status = settings__each_heap(check_heap, NULL);
	settings__free(&settings);
	return status;
}

static int check_program(const char *name, char *path, size_t size)
{
	char why[PROGRAM_REFUSAL_SIZE];
	const char *refusal;

	if (!*name)
		return tool__fail(TOOL_FAILED, "the program's name is empty, so there is no such program");
	switch (program__find(name, path, size)) {
	case 0:
		break;
	case -EACCES:
		return tool__fail(TOOL_FAILED, "%.200s is there but cannot be executed; check its permissions", name);
	case -EPERM:
		return tool__fail(TOOL_FAILED, "%.200s cannot be reached; check the permissions of its folders", name);
	default:
		return tool__fail(TOOL_FAILED, "%.200s: no such program%s", name,
			strchr(name, '/') ? "; check its path" : " in PATH; give its whole path");
	}
	refusal = program__refusal(path, why, sizeof(why));
	if (refusal)
		return tool__fail(TOOL_FAILED, "%.200s %s", path, refusal);
	return TOOL_OK;
}

/* Is the preload in `folder` (with its last slash)? Then its path is written. */
static bool preload_in(const char *folder, const char *below, char *path, size_t size)
{
	return (size_t)snprintf(path, size, "%s%s" PRELOAD_NAME, folder, below) < size &&
		access(path, R_OK) == 0;
}

/* The preload beside this very binary (a build folder, a relocated tree), else where it was installed. */
int run__find_preload(char *path, size_t size)
{
	char folder[PATH_MAX] = "/";
	ssize_t n = readlink("/proc/self/exe", folder, sizeof(folder) - 1);

	folder[n > 0 ? n : 1] = 0;
	strrchr(folder, '/')[1] = 0;
	if (!preload_in(folder, ".libs/", path, size) && !preload_in(folder, "", path, size) &&
		!preload_in(folder, "../lib/situs/", path, size) &&
		!preload_in(folder, "../../lib/situs/", path, size) && /* situs-heaps */
		!preload_in(PKGLIBDIR, "/", path, size))
		return tool__fail(TOOL_FAILED, "%s is missing; install Situs again", path);
	if (path[strcspn(path, ": \t\n")])
		return tool__fail(TOOL_FAILED, "%s has a space or a colon, which LD_PRELOAD cannot hold; install Situs in another folder", path);
	return TOOL_OK;
}

/* Ours first, since the first malloc wins; what was there stays, but for ours from an outer run. */
static void set_preload(const char *ours)
{
	const char *before = getenv("LD_PRELOAD"), *word, *end;
	char *value;
	size_t n;

	value = malloc(strlen(ours) + (before ? strlen(before) : 0) + 2);
	if (!value)
		exit(tool__fail(TOOL_FAILED, "out of memory"));
	n = (size_t)sprintf(value, "%s", ours);
	for (word = before ? before : ""; *word; word = end + strspn(end, ": ")) {
		end = word + strcspn(word, ": ");
		if ((size_t)(end - word) == strlen(ours) && strncmp(word, ours, strlen(ours)) == 0)
			continue;
		n += (size_t)sprintf(value + n, ":%.*s", (int)(end - word), word);
	}
	set("LD_PRELOAD", value);
	free(value);
}

/* The option that set the variable, or the variable itself. */
static const char *who_says(const char *name)
{
	for (size_t i = 0; i < N_VARIABLES; i++)
		if (strcmp(variables[i].variable, name) == 0 && variables[i].given)
			return variables[i].option;
	return name;
}

int run__main(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.args_doc = "-- PROGRAM [ARG...]",
		.doc = "Runs an unmodified program with its heap in a place.\v"
		       "The place is checked before anything starts. The program's signals, exit status and "
		       "streams are its own; its children inherit the place. 'situs topo' lists places.",
	};
	struct run run = { 0 };
	char path[PATH_MAX], preload[PATH_MAX];
	int status;

	/* In order: the first word that is no option is the program. */
	tool__parse(&argp, argc, argv, ARGP_IN_ORDER, &run);
	if (!getenv("SITUS_AREA") && !getenv("SITUS_RATIO") && !getenv("SITUS_PER_THREAD_LOCAL")) {
		set("SITUS_AREA", "any");
		run.by_default = true;
	}
	status = check_environment();
	if (!status)
		status = check_program(run.program[0], path, sizeof(path));
	if (!status)
		status = run__find_preload(preload, sizeof(preload));
	if (status)
		return status;
	set_preload(preload);
	if (run.verbose)
		run__explain(path, who_says, run.by_default);
	if (run.dry_run || run.verbose)
		run__show(run.dry_run ? stdout : stderr, run.program, path, dropped);
	if (run.dry_run)
		return TOOL_OK;
	/* What killed programs left: the preload itself hardly ever looks. */
	publish__sweep_all();
	execv(path, run.program);
	return tool__fail(TOOL_FAILED, "%.200s cannot be started: %s", path, strerror(errno));
}
