/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * info.c - what the C library's functions tell of its own malloc, told of the heaps as well.
 *
 * mallopt is not among them: it tunes the C library's blocks, and there are some.
 */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>

#include "heap/heap.h"
#include "preload/report.h"
#include "preload/start.h"
#include "preload/system.h"

#define PUBLIC __attribute__((visibility("default")))

/* The sum of all allocators, as far as the fields mean something for all. */
PUBLIC struct mallinfo2 mallinfo2(void)
{
	struct situs_heap_stats stats = { .struct_size = sizeof(stats) };
	struct mallinfo2 info = system__mallinfo2();

	for (int i = 0; i < preload.n_heaps; i++) {
		if (situs_heap_stats(preload.heaps[i], &stats) != 0)
			continue;
		info.arena += stats.mapped;
		info.uordblks += stats.allocated;
		info.fordblks += stats.mapped > stats.allocated ? stats.mapped - stats.allocated : 0;
	}
	return info;
}

static int at_most_int(size_t n)
{
	return n > INT_MAX ? INT_MAX : (int)n;
}

/* The same in the fields of old, which end at INT_MAX. */
PUBLIC struct mallinfo mallinfo(void)
{
	struct mallinfo2 info = mallinfo2();

	return (struct mallinfo){
		.arena = at_most_int(info.arena),
		.ordblks = at_most_int(info.ordblks),
		.smblks = at_most_int(info.smblks),
		.hblks = at_most_int(info.hblks),
		.hblkhd = at_most_int(info.hblkhd),
		.usmblks = at_most_int(info.usmblks),
		.fsmblks = at_most_int(info.fsmblks),
		.uordblks = at_most_int(info.uordblks),
		.fordblks = at_most_int(info.fordblks),
		.keepcost = at_most_int(info.keepcost),
	};
}

/* To standard error, as the C library's. */
PUBLIC void malloc_stats(void)
{
	report__write(stderr, "now");
	fputs("and blocks that the C library itself serves:\n", stderr);
	system__stats();
}

/* A text in an attribute; bytes that XML cannot have become ?. */
static void write_attribute(FILE *out, const char *name, const char *text)
{
	fprintf(out, " %s=\"", name);
	for (; *text; text++) {
		if (*text == '<' || *text == '>' || *text == '&' || *text == '"')
			fprintf(out, "&#%d;", *text);
		else
			putc(*text < ' ' || *text == 0x7f ? '?' : *text, out);
	}
	putc('"', out);
}

/* What the C library's own text has for all its arenas together. */
static void write_sums(FILE *out, size_t in_use, size_t mapped, size_t peak)
{
	fprintf(out, "<total type=\"rest\" count=\"0\" size=\"%zu\"/>\n", mapped > in_use ? mapped - in_use : 0);
	fprintf(out, "<system type=\"current\" size=\"%zu\"/>\n", mapped);
	fprintf(out, "<system type=\"max\" size=\"%zu\"/>\n", peak);
	fprintf(out, "<aspace type=\"total\" size=\"%zu\"/>\n", mapped);
	fprintf(out, "<aspace type=\"mprotect\" size=\"%zu\"/>\n", mapped);
}

/* The elements of the C library's malloc_info: one heap for each of ours, then one for its own blocks. */
PUBLIC int malloc_info(int options, FILE *out)
{
	struct situs_heap_stats stats = { .struct_size = sizeof(stats) };
	struct mallinfo2 own = system__mallinfo2();
	size_t in_use = own.uordblks + own.hblkhd, mapped = own.arena + own.hblkhd, peak = mapped;

	if (options != 0)
		return EINVAL;
	fputs("<malloc version=\"1\">\n", out);
	for (int i = 0; i < preload.n_heaps; i++) {
		if (situs_heap_stats(preload.heaps[i], &stats) != 0)
			continue;
		fprintf(out, "<heap nr=\"%d\"", i);
		write_attribute(out, "name", preload.heaps[i]->name);
		write_attribute(out, "place", preload.heaps[i]->place);
		fputs(">\n<sizes>\n</sizes>\n", out);
		write_sums(out, stats.allocated, stats.mapped, stats.peak);
		fputs("</heap>\n", out);
		in_use += stats.allocated;
		mapped += stats.mapped;
		peak += stats.peak;
	}
	fprintf(out, "<heap nr=\"%d\" name=\"libc\">\n<sizes>\n</sizes>\n", preload.n_heaps);
	write_sums(out, own.uordblks + own.hblkhd, own.arena + own.hblkhd, own.arena + own.hblkhd);
	fputs("</heap>\n", out);
	write_sums(out, in_use, mapped, peak);
	fputs("</malloc>\n", out);
	return 0;
}
