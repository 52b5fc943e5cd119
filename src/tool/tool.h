/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tool.h - what the sub-commands share: exit statuses, messages, tables.
 *
 * A sub-command is one function that gets its own arguments, with "situs NAME" as argv[0], and
 * returns the exit status. Failures are one line on standard error: what, and what would do.
 */
#ifndef TOOL_TOOL_H
#define TOOL_TOOL_H

#include <argp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>
#include <jansson.h>

enum { TOOL_OK = 0, TOOL_FAILED = 1, TOOL_USAGE = 2 };

struct command {
	const char *name, *summary;
	int (*run)(int argc, char **argv);
};

int run__main(int argc, char **argv);
int places__main(int argc, char **argv);
int topo__main(int argc, char **argv);
int stat__main(int argc, char **argv);
int map__main(int argc, char **argv);
int bench__main(int argc, char **argv);
int migrate__main(int argc, char **argv);
int doctor__main(int argc, char **argv);

/* "situs: sentence" on standard error, control characters replaced; returns status. */
int tool__fail(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same line, where nothing failed. */
void tool__say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The exit status, once all output is written; one line where it cannot be. */
int tool__finish(int status);

/*
 * argp_parse, but what is wrong is one line and ends the program with TOOL_USAGE. Option lists end with
 * TOOL_OPTIONS_END, which names --help; parsers refuse by tool__usage, never by argp_error.
 */
void tool__parse(const struct argp *argp, int argc, char **argv, unsigned flags, void *options);

/* "situs: sentence; 'NAME --help' says what does", then the end with TOOL_USAGE. */
void tool__usage(const char *name, const char *format, ...)
	__attribute__((format(printf, 2, 3), noreturn));

enum { TOOL_KEY_HELP = '?' };
#define TOOL_OPTIONS_END \
	{ "help", TOOL_KEY_HELP, NULL, 0, "print this, and do nothing", -1 }, { 0 }

/* What several words take: lists have the lines, parsers call tool__common for keys that are not their own. */
enum { TOOL_KEY_JSON = 0x1000, TOOL_KEY_SVG };
#define TOOL_OPTION_JSON { "json", TOOL_KEY_JSON, NULL, 0, "print JSON", 0 }
#define TOOL_OPTION_SVG(what) \
	{ "svg", TOOL_KEY_SVG, "FILE", 0, "draw " what " into a file (-: standard output)", 0 }

struct tool_common {
	bool json;
	const char *svg; /* NULL: none */
	pid_t pid;       /* 0: none */
};

/* --json and --svg, for argp; ARGP_ERR_UNKNOWN: another key. What is wrong ends the program as tool__usage. */
error_t tool__common(int key, char *arg, const struct argp_state *state, struct tool_common *common);

/* The same and one process id as the word. */
error_t tool__common_pid(int key, char *arg, const struct argp_state *state, struct tool_common *common);

/* Where the preload is: beside this very binary, or installed. Missing: told, and the exit status. */
int run__find_preload(char *path, size_t size);

/* The exit status for a failed aml_... call: bad words and absent places are the caller's error. */
int tool__status(int aml_error);

/* Text of another process as JSON, whatever it holds. */
json_t *tool__json_text(const char *text);

/* Prints a JSON value and a newline to standard output, and frees it; the exit status. */
int tool__json(json_t *value);

/* Columns */

#define TABLE_MAX_COLUMNS 80

/* Cells are added row by row; the text is copied. Numbers stand right, words left. */
struct table;
struct table *table__new(size_t n_columns);
void table__add(struct table *table, bool right, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void table__size(struct table *table, size_t bytes);
/* Prints and frees it; the first row is the heading. */
void table__print(struct table *table, FILE *stream);

#endif
