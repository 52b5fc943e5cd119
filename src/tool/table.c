/* SPDX-License-Identifier: BSD-3-Clause */
/* table.c - columns as wide as their widest cell. */
#include "config.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "tool/tool.h"

struct cell {
	char *text;
	bool right;
};

struct table {
	size_t n_columns, n_cells, capacity;
	struct cell *cells;
};

/* A command of a few lines of output cannot do anything useful without memory. */
static void *need(void *memory)
{
	if (!memory)
		exit(tool__fail(TOOL_FAILED, "out of memory"));
	return memory;
}

struct table *table__new(size_t n_columns)
{
	struct table *table = need(calloc(1, sizeof(*table)));

	table->n_columns = n_columns;
	return table;
}

void table__add(struct table *table, bool right, const char *format, ...)
{
	struct cell *cell;
	va_list args;

	if (table->n_cells == table->capacity) {
		table->capacity = table->capacity ? 2 * table->capacity : 64;
		table->cells = need(reallocarray(table->cells, table->capacity, sizeof(*cell)));
	}
	cell = &table->cells[table->n_cells++];
	cell->right = right;
	va_start(args, format);
	if (vasprintf(&cell->text, format, args) < 0)
		need(NULL);
	va_end(args);
}

void table__size(struct table *table, size_t bytes)
{
	char text[SIZE_TEXT_SIZE];

	table__add(table, true, "%s", size__format(bytes, text));
}

/* Characters, of which some are several bytes. */
static size_t length_of(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += (*text & 0xc0) != 0x80;
	return n;
}

static size_t width_of(const struct table *table, size_t column)
{
	size_t width = 0, length;

	for (size_t i = column; i < table->n_cells; i += table->n_columns) {
		length = length_of(table->cells[i].text);
		width = length > width ? length : width;
	}
	return width;
}

void table__print(struct table *table, FILE *stream)
{
	for (size_t i = 0; i < table->n_cells; i++) {
		const struct cell *cell = &table->cells[i];
		size_t column = i % table->n_columns;
		bool last = column + 1 == table->n_columns;
		int room = (int)(width_of(table, column) - length_of(cell->text));

		if (cell->right)
			fprintf(stream, "%*s%s", room, "", cell->text);
		else
			fprintf(stream, "%s%*s", cell->text, last ? 0 : room, "");
		fputs(last ? "\n" : "  ", stream);
	}
	for (size_t i = 0; i < table->n_cells; i++)
		free(table->cells[i].text);
	free(table->cells);
	free(table);
}
