/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * migrate.c - situs migrate: asks a program to move one of its heaps, and tells what came of it.
 *
 * The program does it (heap/channel.h). One that does not take the order, since it needs no memory just now,
 * is left alone: the kernel moves the pages that are there (process__move), and the order stands for what
 * comes next. Contents are never touched from here. An interrupt stops either after the piece it is at.
 */
#include "config.h"

#include <errno.h>
#include <stdarg.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "area/topology.h"
#include "base/error.h"
#include "base/size.h"
#include "tool/migrate.h"
#include "tool/places.h"
#include "tool/stat.h"

enum { KEY_HEAP = 256, KEY_TO, KEY_WAIT, POLL_MS = 20, BAR = 30 };

struct options {
	struct tool_common common;
	const char *heap, *to;
	long wait; /* seconds that the program has to take the order */
	bool verbose;
};

/* What came of it. */
struct outcome {
	struct publish_answer answer;
	bool stands; /* the pages were moved from outside, and the order waits for the program */
};

static const struct argp_option option_list[] = {
	{ "heap", KEY_HEAP, "NAME", 0, "which heap (default: the only one)", 0 },
	{ "to", KEY_TO, "PLACE", 0, "where it shall lie", 0 },
	{ "wait", KEY_WAIT, "SECONDS", 0, "how long the program may take to answer (default: 2)", 0 },
	{ "verbose", 'v', NULL, 0, "say what was decided and why", 0 },
	TOOL_OPTION_JSON,
	TOOL_OPTIONS_END,
};

static long parse_seconds(const struct argp_state *state, const char *text)
{
	char *end;
	long seconds;

	errno = 0;
	seconds = strtol(text, &end, 10);
	if (errno || end == text || *end || seconds < 0 || seconds > 86400)
		tool__usage(state->name, "--wait=%.40s is not a number of seconds up to a day", text);
	return seconds;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case KEY_HEAP:
		options->heap = arg;
		return 0;
	case KEY_TO:
		options->to = arg;
		return 0;
	case KEY_WAIT:
		options->wait = parse_seconds(state, arg);
		return 0;
	case 'v':
		options->verbose = true;
		return 0;
	case ARGP_KEY_NO_ARGS:
		tool__usage(state->name, "which process? situs migrate PID --heap NAME --to PLACE");
	case ARGP_KEY_END:
		if (!options->to)
			tool__usage(state->name, "where to? situs migrate PID --heap NAME --to PLACE");
		return 0;
	default:
		return tool__common_pid(key, arg, state, &options->common);
	}
}

/* Is the place one, and on this machine? Whether it can be had is the program's to say. */
static int check_place(const char *place)
{
	if (strlen(place) >= PUBLISH_ASK_PLACE_SIZE)
		return tool__fail(TOOL_USAGE, "the place is too long: %d characters at most",
			PUBLISH_ASK_PLACE_SIZE - 1);
	return places__check(place);
}

static int no_such_heap(const struct process_table *table, const char *name)
{
	char names[400] = "";
	size_t n = 0;

	for (size_t i = 0; i < table->n_heaps && n < sizeof(names); i++)
		n += (size_t)snprintf(names + n, sizeof(names) - n, "%s%s", i ? ", " : "", table->heaps[i].name);
	if (!name)
		return tool__fail(TOOL_USAGE, "process %ld has %zu heaps, choose one by --heap: %s",
			(long)table->pid, table->n_heaps, names);
	return tool__fail(TOOL_FAILED, "process %ld has no heap '%.60s'; it has: %s", (long)table->pid, name,
		table->n_heaps ? names : "none");
}

static const struct process_heap *find(const struct process_table *table, const char *name, int *n)
{
	const struct process_heap *found = NULL;

	*n = 0;
	for (size_t i = 0; i < table->n_heaps; i++) {
		/* The table's names are cut where they are too long. */
		if (name && strncmp(table->heaps[i].name, name, PUBLISH_NAME_SIZE - 1) != 0)
			continue;
		found = &table->heaps[i];
		++*n;
	}
	return found;
}

static volatile sig_atomic_t interrupted;

static void interrupt(int signal)
{
	interrupted = signal;
}

/* The bar, on a terminal; drawn over itself. */
static void show_progress(const struct options *options, const struct publish_answer *answer)
{
	char done[SIZE_TEXT_SIZE], total[SIZE_TEXT_SIZE], bar[BAR + 1];
	const uint64_t all = answer->total;
	uint64_t so_far = answer->done < all ? answer->done : all;
	int n = all ? (int)(so_far * BAR / all) : 0;

	if (!isatty(STDERR_FILENO))
		return;
	memset(bar, '.', BAR);
	memset(bar, '#', (size_t)n);
	bar[BAR] = 0;
	fprintf(stderr, "\r\033[K%s -> %.60s [%s] %3u %%  %s of %s", options->heap, options->to, bar,
		all ? (unsigned)(so_far * 100 / all) : 0, size__format(so_far, done), size__format(all, total));
	fflush(stderr);
}

static void end_progress(void)
{
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
}

/* -v: what was decided. The bar may stand on the line. */
static void __attribute__((format(printf, 2, 3))) tell(const struct options *options, const char *format, ...)
{
	char line[512];
	va_list args;

	if (!options->verbose)
		return;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	end_progress();
	tool__say("%s", line);
}

/* -v: from where to where, and on which nodes that is. */
static void tell_order(const struct options *options, const struct process_heap *heap)
{
	const struct topology *topology;
	struct place_chain chain;
	struct place_error error;
	char line[PLACES_LINE_SIZE];

	tell(options, "heap %s of process %ld lies in %s, and shall go to %s", heap->name,
		(long)options->common.pid, heap->place, options->to);
	if (topology__get(&topology) || place__parse(options->to, &chain, &error))
		return;
	for (int i = 0; i < chain.n_links; i++)
		if (places__explain(topology, &chain.link[i], line, sizeof(line)) == 0)
			tell(options, "  %s", line);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int show_outside(const struct publish_answer *figures, void *arg)
{
	show_progress(arg, figures);
	return interrupted;
}

static int never_answered(const struct options *options, const char *why)
{
	return tool__fail(TOOL_FAILED, "process %ld, which needs no memory just now, did not answer in %ld s, and "
		"the order is withdrawn: from outside nothing can be moved because %s; started with 'situs run "
		"--listen' or SITUS_LISTEN=1 a program answers at once", (long)options->common.pid, options->wait, why);
}

static int stopped_outside(const struct options *options, const struct publish_answer *figures)
{
	char moved[SIZE_TEXT_SIZE];

	if (!interrupted)
		return never_answered(options, error__text());
	return tool__fail(TOOL_FAILED, "interrupted; %s moved, and the order is withdrawn",
		size__format(figures->moved, moved));
}

static void tell_stragglers(struct publish_answer *figures)
{
	char size[SIZE_TEXT_SIZE];
	const uint64_t left = figures->no_room + figures->busy + figures->other;

	if (!left)
		return;
	figures->result = -EAGAIN;
	snprintf(figures->text, sizeof(figures->text), "%s stayed behind; the program goes on with it when it next "
		"needs memory", size__format(left, size));
}

/* The program sleeps: what is there is moved from outside. TOOL_OK, with outcome->stands where the order
   still does, or the exit status. */
static int move_from_outside(struct options *options, const struct process_heap *heap,
	struct process_channel *channel, struct outcome *outcome)
{
	struct process_target target;
	const char *why = migrate__target(heap, options->to, &target);
	struct publish_answer answer;
	int err = -ENOTSUP;

	if (!why) {
		tell(options, "the program has not taken the order within %ld s: it asks for no memory just now; its pages "
			"are moved from outside, since both places differ by their nodes alone", options->wait);
		err = process__move(options->common.pid, heap->ranges, heap->n_ranges, &target, show_outside, options,
			&outcome->answer);
	}
	end_progress();
	if (err)
		return !process__withdraw(channel) ? TOOL_OK : why ? never_answered(options, why) :
			stopped_outside(options, &outcome->answer);
	if (process__answer(channel, &answer))
		return tool__fail(TOOL_FAILED, "%s", error__text());
	outcome->stands = answer.taken != channel->ticket;
	tell_stragglers(&outcome->answer);
	return TOOL_OK;
}

/* Waits for the end of it, showing how far it is; TOOL_OK with the outcome, or the exit status. */
static int follow(struct options *options, const struct process_heap *heap, struct process_channel *channel,
	struct outcome *outcome)
{
	const int64_t give_up = now_ms() + options->wait * 1000;
	struct publish_answer *answer = &outcome->answer;
	bool is_cancelled = false, is_told = false;
	int status = TOOL_OK;

	while (!status && !outcome->stands) {
		if (process__answer(channel, answer)) {
			status = tool__fail(TOOL_FAILED, "%s", error__text());
		} else if (answer->taken == channel->ticket) {
			if (!is_told)
				tell(options, "the program has taken the order, and moves its heap itself");
			is_told = true;
			if (answer->finished == channel->ticket)
				break;
			show_progress(options, answer);
			if (interrupted && !is_cancelled)
				process__cancel(channel);
			is_cancelled = interrupted;
		} else if (interrupted) {
			if (process__withdraw(channel))
				status = tool__fail(TOOL_FAILED, "interrupted; nothing has moved");
			continue;
		} else if (now_ms() >= give_up) {
			status = move_from_outside(options, heap, channel, outcome);
			continue;
		}
		nanosleep(&(struct timespec){ 0, POLL_MS * 1000000 }, NULL);
	}
	end_progress();
	return status;
}

static int print_json(const struct options *options, const struct outcome *outcome,
	const struct process_pages *pages)
{
	const struct publish_answer *answer = &outcome->answer;

	return tool__json(json_pack("{sI so ss sb sb so sI sI sI sI sI so}", "pid", (json_int_t)options->common.pid,
		"heap", tool__json_text(options->heap), "to", options->to, "complete", answer->result == 0,
		"answered", !outcome->stands, "message", tool__json_text(answer->text), "moved", (json_int_t)answer->moved, "already",
		(json_int_t)answer->already, "no_room", (json_int_t)answer->no_room, "busy",
		(json_int_t)answer->busy, "other", (json_int_t)answer->other, "nodes", stat__nodes_json(pages)));
}

static void print_size(const char *what, size_t bytes, bool always)
{
	char text[SIZE_TEXT_SIZE];

	if (bytes || always)
		printf("  %-28s %s\n", what, size__format(bytes, text));
}

static void print_text(const struct options *options, const struct outcome *outcome,
	const struct process_pages *pages)
{
	const struct publish_answer *answer = &outcome->answer;
	char text[SIZE_TEXT_SIZE];

	printf("heap %s of process %ld, to %s:\n", options->heap, (long)options->common.pid, options->to);
	print_size("moved", answer->moved, true);
	print_size("there already", answer->already, true);
	print_size("stayed: no room", answer->no_room, false);
	print_size("stayed: busy", answer->busy, false);
	print_size("stayed: shared, or else", answer->other, false);
	printf("where its pages are now, page by page:");
	for (int node = 0; node < OS_MAX_NODES; node++)
		if (pages->on_node[node])
			printf(" node %d %s", node, size__format(pages->on_node[node], text));
	puts(pages->present ? "" : " nowhere, none is present");
	if (outcome->stands)
		puts("the program sleeps, or needs no memory just now: its pages were moved from outside, and the order "
		     "stands:\nwhen it next needs memory it draws from the new place");
}

/* What came of it: the program's account, and the kernel's word for where the pages are. */
static int report(const struct options *options, size_t slot, const struct outcome *outcome)
{
	const struct publish_answer *answer = &outcome->answer;
	struct process_pages pages = { .present = 0 };
	struct process_table table;
	int status = TOOL_OK;

	if (!process__read(options->common.pid, &table)) {
		for (size_t i = 0; i < table.n_heaps; i++)
			if (table.heaps[i].slot == slot)
				process__pages(options->common.pid, table.heaps[i].ranges, table.heaps[i].n_ranges, &pages);
		process__free(&table);
	}
	if (options->common.json)
		status = print_json(options, outcome, &pages);
	else if (answer->moved || answer->already || answer->result == 0)
		print_text(options, outcome, &pages);
	if (answer->result)
		status = tool__fail(TOOL_FAILED, "%s",
			answer->text[0] ? answer->text : os__strerror((int)answer->result));
	return status;
}

/* The table to oneself: who only looks has it for a moment, who moves a heap for as long as that takes. */
static int open_channel(const struct options *options, struct process_channel *channel)
{
	const int64_t give_up = now_ms() + options->wait * 1000;
	int err;

	while ((err = process__ask_open(options->common.pid, channel)) == -EBUSY && !interrupted &&
		now_ms() < give_up)
		nanosleep(&(struct timespec){ 0, POLL_MS * 1000000 }, NULL);
	return err;
}

static int ask(struct options *options, const struct process_heap *heap)
{
	struct publish_request request = { .kind = PUBLISH_ASK_MIGRATE, .heap = heap->slot };
	struct process_channel channel;
	struct outcome outcome = { .stands = false };
	int status;

	memcpy(request.name, heap->asked_name, sizeof(request.name));
	snprintf(request.place, sizeof(request.place), "%s", options->to);
	signal(SIGINT, interrupt);
	signal(SIGTERM, interrupt);
	if (open_channel(options, &channel))
		return tool__fail(TOOL_FAILED, "%s", error__text());
	if (process__ask(&channel, &request))
		status = tool__fail(TOOL_FAILED, "%s", error__text());
	else
		status = follow(options, heap, &channel, &outcome);
	process__ask_close(&channel);
	return status ? status : report(options, heap->slot, &outcome);
}

int migrate__main(int argc, char **argv)
{
	static const struct argp argp = {
		.options = option_list,
		.parser = parse,
		.args_doc = "PID",
		.doc = "Moves a heap of a running program to another place, while the program goes on.\v"
		       "The program is asked and does it itself, when it next needs memory, or at once where it "
		       "was started with 'situs run --listen'. Where it needs none within --wait, its pages are moved "
		       "from outside and the order stands. The exit status is 1 where anything stayed behind. An "
		       "interrupt stops it half-way.",
	};
	struct options options = { .wait = 2 };
	const struct process_heap *heap;
	struct process_table table;
	const char *never;
	int status, n;

	tool__parse(&argp, argc, argv, 0, &options);
	status = check_place(options.to);
	if (!status)
		status = tool__read_process(options.common.pid, &table);
	if (status)
		return status;
	heap = find(&table, options.heap, &n);
	never = n == 1 ? migrate__never(heap, options.to) : NULL;
	if (never) {
		status = tool__fail(TOOL_FAILED, "heap %s of process %ld cannot be moved to %.100s because %s", heap->name,
			(long)options.common.pid, options.to, never);
	} else if (n == 1) {
		options.heap = heap->name;
		tell_order(&options, heap);
		status = ask(&options, heap);
	} else if (n > 1 && options.heap) {
		status = tool__fail(TOOL_FAILED, "process %ld has %d heaps of the name '%.60s'; names that tell "
			"them apart are given by the program", (long)options.common.pid, n, options.heap);
	} else {
		status = no_such_heap(&table, options.heap);
	}
	process__free(&table);
	return status;
}
