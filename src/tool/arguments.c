/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * arguments.c - argp with failures of one line: what is wrong, and what would do.
 *
 * argp's own messages take two lines and name no remedy, so it is told to be silent (ARGP_NO_ERRS). That
 * silences its help as well, which is therefore printed from here; and which word it did not like is
 * found again from where it stopped.
 */
#include "config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tool/tool.h"

/* The option of that name (its first `length` characters), or NULL; *n counts those it may mean. */
static const struct argp_option *find(const struct argp *argp, const char *name, size_t length, int *n)
{
	const struct argp_option *found = NULL;

	*n = 0;
	for (const struct argp_option *o = argp->options; o->name || o->key; o++) {
		if (!o->name || strncmp(o->name, name, length) != 0)
			continue;
		found = o;
		if (strlen(o->name) == length) {
			*n = 1;
			break;
		}
		++*n;
	}
	return found;
}

static const struct argp_option *find_short(const struct argp *argp, char letter)
{
	for (const struct argp_option *o = argp->options; o->name || o->key; o++)
		if (o->key == letter)
			return o;
	return NULL;
}

/* Does the option take the next word where it has no value of its own? */
static bool takes_word(const struct argp_option *option)
{
	return option && option->arg && !(option->flags & OPTION_ARG_OPTIONAL);
}

/* Ends the program where one of the letters of "-abc" is wrong. */
static void check_short(const struct argp *argp, const char *name, const char *word)
{
	for (const char *letter = word + 1; *letter; letter++) {
		const struct argp_option *option = find_short(argp, *letter);

		if (!option)
			tool__usage(name, "'-%c' is not an option", *letter);
		if (takes_word(option) && !letter[1])
			tool__usage(name, "option '-%c' needs a value, %s", *letter, option->arg);
		if (option->arg)
			return;
	}
}

static void check_long(const struct argp *argp, const char *name, const char *word)
{
	size_t length = strcspn(word + 2, "=");
	const struct argp_option *option;
	bool has_value = word[2 + length];
	int n;

	option = find(argp, word + 2, length, &n);
	if (n == 0)
		tool__usage(name, "'%.80s' is not an option", word);
	if (n > 1)
		tool__usage(name, "'%.80s' may mean more than one option", word);
	if (takes_word(option) && !has_value)
		tool__usage(name, "option '--%s' needs a value, %s", option->name, option->arg);
	if (!option->arg && has_value)
		tool__usage(name, "option '--%s' takes no value", option->name);
}

/* What argp did not like: the word it had just read, or the one it was at. */
static void explain(const struct argp *argp, char **argv, int argc, int next)
{
	for (int i = next > 1 ? next - 1 : 1; i <= next && i < argc; i++) {
		if (strncmp(argv[i], "--", 2) == 0)
			check_long(argp, argv[0], argv[i]);
		else if (argv[i][0] == '-' && argv[i][1])
			check_short(argp, argv[0], argv[i]);
	}
	tool__usage(argv[0], "'%.80s' is one word too many", argv[next < argc ? next : argc - 1]);
}

/* Is -? among the letters of "-abc"? *takes_next is set where the last of them wants the next word. */
static bool has_help_letter(const struct argp *argp, const char *word, bool *takes_next)
{
	for (const char *letter = word + 1; *letter; letter++) {
		const struct argp_option *option = find_short(argp, *letter);

		if (*letter == TOOL_KEY_HELP)
			return true;
		if (option && option->arg) {
			*takes_next = takes_word(option) && !letter[1];
			return false;
		}
	}
	return false;
}

/* Is there a --help (or -?) among the words that are situs's own? */
static bool asks_for_help(const struct argp *argp, int argc, char **argv, unsigned flags)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		bool takes_next = false;
		int n;

		if (strcmp(argv[i], "--help") == 0)
			return true;
		if (argv[i][0] != '-' && flags & ARGP_IN_ORDER)
			return false;
		if (argv[i][0] != '-')
			continue;
		if (argv[i][1] == '-')
			takes_next = !strchr(argv[i], '=') &&
				takes_word(find(argp, argv[i] + 2, strlen(argv[i] + 2), &n));
		else if (has_help_letter(argp, argv[i], &takes_next))
			return true;
		i += takes_next;
	}
	return false;
}

/* The word's own parser, and how far argp has come: argp_parse tells that on success only. */
static argp_parser_t word_parser;
static int next_word;

static error_t follow(int key, char *arg, struct argp_state *state)
{
	next_word = state->next;
	return word_parser(key, arg, state);
}

void tool__parse(const struct argp *argp, int argc, char **argv, unsigned flags, void *options)
{
	struct argp followed = *argp;

	if (asks_for_help(argp, argc, argv, flags)) {
		argp_help(argp, stdout, ARGP_HELP_LONG | ARGP_HELP_USAGE | ARGP_HELP_DOC, argv[0]);
		exit(tool__finish(TOOL_OK));
	}
	word_parser = argp->parser;
	followed.parser = follow;
	if (argp_parse(&followed, argc, argv, flags | ARGP_NO_ERRS | ARGP_NO_HELP, NULL, options))
		explain(argp, argv, argc, next_word);
}

void tool__usage(const char *name, const char *format, ...)
{
	char line[512];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	exit(tool__fail(TOOL_USAGE, "%s; '%s --help' says what does", line, name));
}

static pid_t process_id(const char *name, const char *text)
{
	char *end;
	long pid;

	errno = 0;
	pid = strtol(text, &end, 10);
	if (errno || end == text || *end || pid <= 0 || pid > INT32_MAX || text[0] < '0' || text[0] > '9')
		tool__usage(name, "'%.40s' is not a process id", text);
	return (pid_t)pid;
}

error_t tool__common(int key, char *arg, const struct argp_state *state, struct tool_common *common)
{
	switch (key) {
	case TOOL_KEY_JSON:
		common->json = true;
		return 0;
	case TOOL_KEY_SVG:
		if (!*arg)
			tool__usage(state->name, "--svg is empty: a file, or - for standard output");
		common->svg = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

error_t tool__common_pid(int key, char *arg, const struct argp_state *state, struct tool_common *common)
{
	if (key != ARGP_KEY_ARG)
		return tool__common(key, arg, state, common);
	if (common->pid)
		tool__usage(state->name, "one process at a time");
	common->pid = process_id(state->name, arg);
	return 0;
}
