/* SPDX-License-Identifier: BSD-3-Clause */
/* stat.c - situs stat: each heap of a running program, and the nodes its pages really are on. */
#include "config.h"

#include "tool/stat.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"

enum { KEY_PROMETHEUS = 256, KEY_WATCH, KEY_SELF_TEST, ANSWER_MS = 100 };

struct options {
	struct tool_common common;
	bool prometheus, watch, self_test;
	double seconds; /* between two looks */
};

static const struct argp_option option_list[] = {
	{ "watch", KEY_WATCH, "SECONDS", OPTION_ARG_OPTIONAL, "look again every so often (default: 1), in place",
		0 },
	TOOL_OPTION_JSON,
	{ "prometheus", KEY_PROMETHEUS, NULL, 0, "print Prometheus's text format", 0 },
	{ "self-test", KEY_SELF_TEST, NULL, 0, "put memory on every node and see whether it is there", 0 },
	TOOL_OPTIONS_END,
};

static double parse_seconds(const struct argp_state *state, const char *text)
{
	double seconds;
	char *end;

	if (!text)
		return 1;
	seconds = strtod(text, &end);
	if (end == text || *end || !(seconds >= 0.05 && seconds <= 86400))
		tool__usage(state->name, "--watch=%.40s is not a number of seconds from 0.05 to 86400", text);
	return seconds;
}

static void check(const struct options *options, const struct argp_state *state)
{
	if (options->common.json + options->prometheus + options->watch > 1 ||
		(options->self_test && options->prometheus + options->watch > 0))
		tool__usage(state->name, "one of --watch, --json and --prometheus; of these, --self-test takes --json");
	if (options->self_test && options->common.pid)
		tool__usage(state->name, "--self-test looks at a process of its own, not at %ld",
			(long)options->common.pid);
	if (!options->self_test && !options->common.pid)
		tool__usage(state->name, "which process? situs stat PID");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case KEY_PROMETHEUS:
		options->prometheus = true;
		return 0;
	case KEY_WATCH:
		options->watch = true;
		options->seconds = parse_seconds(state, arg);
		return 0;
	case KEY_SELF_TEST:
		options->self_test = true;
		return 0;
	case ARGP_KEY_END:
		check(options, state);
		return 0;
	default:
		return tool__common_pid(key, arg, state, &options->common);
	}
}

static int take_account(const struct process_heap *heap, pid_t pid, struct account *account)
{
	int err = process__pages(pid, heap->ranges, heap->n_ranges, &account->pages);

	if (err)
		return err;
	return process__numa_maps(pid, heap->ranges, heap->n_ranges, &account->kernel,
		&account->comparable);
}

int stat__take(pid_t pid, struct view *view)
{
	int err;

	memset(view, 0, sizeof(*view));
	view->is_fresh = process__refresh(pid, ANSWER_MS);
	err = process__read(pid, &view->table);
	if (err)
		return err;
	view->accounts = calloc(view->table.n_heaps ? view->table.n_heaps : 1, sizeof(*view->accounts));
	if (!view->accounts)
		err = error__set(ENOMEM, "out of memory");
	for (size_t i = 0; i < view->table.n_heaps && !err; i++)
		err = take_account(&view->table.heaps[i], pid, &view->accounts[i]);
	if (err)
		stat__free(view);
	return err;
}

void stat__free(struct view *view)
{
	free(view->accounts);
	process__free(&view->table);
	view->accounts = NULL;
}

/* Each frame is written in one go over the one before: home, every line cleared to its end, then the
   rest of the screen. Where there is no screen, frames follow each other. */
static void draw_frame(const char *frame, bool is_terminal)
{
	if (!is_terminal) {
		puts(frame);
		fflush(stdout);
		return;
	}
	fputs("\033[H", stdout);
	for (const char *end; *frame; frame = *end ? end + 1 : end) {
		end = strchrnul(frame, '\n');
		printf("%.*s\033[K\n", (int)(end - frame), frame);
	}
	fputs("\033[J", stdout);
	fflush(stdout);
}

/* Until the process has ended, which is no failure, or the user has seen enough. */
static int watch(const struct options *options)
{
	const struct timespec pause = { (time_t)options->seconds,
		(long)(fmod(options->seconds, 1) * 1e9) };
	const bool is_terminal = isatty(STDOUT_FILENO);
	bool is_first = true;
	struct view view;

	for (;; is_first = false) {
		char *frame = NULL;
		size_t size;
		FILE *stream;
		int err = stat__take(options->common.pid, &view);

		if (err)
			return !is_first && (err == -ESRCH || process__ends_soon(options->common.pid, 2000)) ? TOOL_OK
				: tool__fail(TOOL_FAILED, "%s", error__text());
		stream = open_memstream(&frame, &size);
		if (stream)
			stat__print_text(stream, &view);
		stat__free(&view);
		if (!stream || fclose(stream))
			return tool__fail(TOOL_FAILED, "out of memory");
		if (is_first && is_terminal)
			fputs("\033[2J", stdout);
		draw_frame(frame, is_terminal);
		free(frame);
		if (ferror(stdout))
			return tool__fail(TOOL_FAILED, "cannot write the output");
		nanosleep(&pause, NULL);
	}
}

static int show_once(const struct options *options)
{
	struct view view;
	int status = TOOL_OK;

	if (stat__take(options->common.pid, &view))
		return tool__fail(TOOL_FAILED, "%s", error__text());
	if (options->common.json)
		status = tool__json(stat__json(&view));
	else if (options->prometheus)
		stat__print_prometheus(stdout, &view);
	else
		stat__print_text(stdout, &view);
	stat__free(&view);
	return status;
}

int stat__main(int argc, char **argv)
{
	static const struct argp argp = {
		.options = option_list,
		.parser = parse,
		.args_doc = "PID",
		.doc = "Shows each heap of a running program and the nodes its pages are on.\v"
		       "Every page is asked for its node; the last column compares that with the kernel's own "
		       "count in /proc/PID/numa_maps. DRAWN is what the heap holds from its place, PRESENT "
		       "what of it has been touched, IN USE what of it are blocks of the program, as it last told. Programs under "
		       "'situs run' show their heaps; programs that use libsitus do with SITUS_PUBLISH=1.",
	};
	struct options options = { 0 };

	tool__parse(&argp, argc, argv, 0, &options);
	if (options.self_test)
		return stat__self_test(options.common.json);
	publish__sweep_all();
	return options.watch ? watch(&options) : show_once(&options);
}
