/* SPDX-License-Identifier: BSD-3-Clause */
/* main.c - finds the sub-command; what they all use. */
#include "config.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "aml.h"
#include "area/topology.h"
#include "base/error.h"
#include "base/utf8.h"
#include "tool/tool.h"

static const struct command commands[] = {
	{ "run", "start a program whose heap lies in a place", run__main },
	{ "places", "the words that name places, and what each stands for here", places__main },
	{ "topo", "the places of this machine, or what one place stands for", topo__main },
	{ "stat", "where the heaps of a running program really lie", stat__main },
	{ "map", "the address space of those heaps, as a table or a picture", map__main },
	{ "migrate", "move a heap of a running program to another place", migrate__main },
	{ "bench", "Situs beside the allocators that are installed here, in three minutes", bench__main },
	{ "doctor", "what on this machine will hurt, and what to do", doctor__main },
};
#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void __attribute__((format(printf, 1, 0))) say(const char *format, va_list args)
{
	char line[1024];

	vsnprintf(line, sizeof(line), format, args);
	utf8__make_printable(line);
	fprintf(stderr, "situs: %s\n", line);
}

int tool__fail(int status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(format, args);
	va_end(args);
	return status;
}

void tool__say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(format, args);
	va_end(args);
}

int tool__finish(int status)
{
	if ((fflush(stdout) || ferror(stdout)) && status == TOOL_OK)
		return tool__fail(TOOL_FAILED, "cannot write the output");
	return status;
}

int tool__status(int aml_error)
{
	switch (abs(aml_error)) {
	case AML_SUCCESS:
		return TOOL_OK;
	case AML_EINVAL:
	case AML_EDOM:
		return TOOL_USAGE;
	default:
		return TOOL_FAILED;
	}
}

json_t *tool__json_text(const char *text)
{
	json_t *value = json_string(text);

	return value ? value : json_string("(not UTF-8)");
}

int tool__json(json_t *value)
{
	int failed = json_dumpf(value, stdout, JSON_INDENT(2));

	json_decref(value);
	if (failed || putchar('\n') == EOF || fflush(stdout))
		return tool__fail(TOOL_FAILED, "cannot write the output");
	return TOOL_OK;
}

/* A variable that is wrong is told of whether or not this word would have come to use it. */
static int check_environment(void)
{
	const struct topology *topology;
	const char *tiers = getenv("SITUS_TIERS");
	int err = tiers && *tiers ? topology__get(&topology) : 0;

	return err ? tool__fail(tool__status(err), "%s", error__text()) : TOOL_OK;
}

/* Does the word only have to say what it is? */
static bool wants_help(int argc, char **argv)
{
	return argc == 3 && strcmp(argv[2], "--help") == 0;
}

static void usage(FILE *stream)
{
	fputs("Usage: situs COMMAND [OPTION...]\n\nPuts heap memory where it belongs.\n\n", stream);
	for (size_t i = 0; i < N_COMMANDS; i++)
		fprintf(stream, "  %-7s %s\n", commands[i].name, commands[i].summary);
	fputs("\n'situs COMMAND --help' says more; 'situs --version' prints the version.\n", stream);
}

int main(int argc, char **argv)
{
	char name[64];
	int status;

	if (argc < 2)
		return tool__fail(TOOL_USAGE, "which command? 'situs --help' lists them");
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-?") == 0 || strcmp(argv[1], "help") == 0) {
		usage(stdout);
		return tool__finish(TOOL_OK);
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
		puts(PACKAGE_STRING);
		return tool__finish(TOOL_OK);
	}
	for (size_t i = 0; i < N_COMMANDS; i++) {
		if (strcmp(argv[1], commands[i].name) != 0)
			continue;
		status = wants_help(argc, argv) ? TOOL_OK : check_environment();
		if (status)
			return status;
		snprintf(name, sizeof(name), "situs %s", commands[i].name);
		argv[1] = name;
		return tool__finish(commands[i].run(argc - 1, argv + 1));
	}
	return tool__fail(TOOL_USAGE, "'%.60s' is not a command; 'situs --help' lists them", argv[1]);
}
