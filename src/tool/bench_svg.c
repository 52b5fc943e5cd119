/* SPDX-License-Identifier: BSD-3-Clause */
/* bench_svg.c - the works in a grid, in each of them a bar for every peer; shorter is better. */
#include "config.h"

#include "tool/bench.h"

#include "tool/svg.h"
#include "tool/tool.h"

enum { MARGIN = 24, PANEL = 440, GAP = 32, LABEL = 92, VALUE = 66, BAR = 16, STEP = 24, COLUMNS = 2 };

static void draw_work(struct svg *svg, const struct bench_results *results, int work, double x, double y)
{
	double most = 0;

	for (size_t i = 0; i < results->n_peers; i++)
		most = results->ns[i][work] > most ? results->ns[i][work] : most;
	svg__text(svg, x, y + 14, SVG_LEFT, "h2", "%s", bench__works[work].name);
	svg__text(svg, x + 74, y + 14, SVG_LEFT, "small light", "%s", bench__works[work].what);
	y += 28;
	for (size_t i = 0; i < results->n_peers; i++, y += STEP) {
		const struct bench_peer *peer = &results->peers[i];
		const double ns = results->ns[i][work];
		const double length = most > 0 ? ns / most * (PANEL - LABEL - VALUE) : 0;

		svg__text(svg, x + LABEL - 8, y + 12, SVG_RIGHT, peer->is_ours ? "value bold" : "value", "%s",
			peer->name);
		if (ns <= 0) {
			svg__text(svg, x + LABEL, y + 12, SVG_LEFT, "small light", "failed");
			continue;
		}
		svg__rect(svg, x + LABEL, y, length, BAR, peer->is_ours ? "rx=\"2\" fill=\"#0072b2\""
			: "rx=\"2\" fill=\"#b8c1cc\"", peer->name);
		svg__text(svg, x + LABEL + length + 6, y + 12, SVG_LEFT, peer->is_ours ? "value bold" : "value",
			ns < 1000 ? "%.1f ns" : "%.0f ns", ns);
	}
}

static void describe(const struct bench_results *results, char *text, size_t size)
{
	size_t n = (size_t)snprintf(text, size, "Nanoseconds of CPU time a block, less is better.");

	for (int work = 0; work < BENCH_N_WORKS && n < size; work++) {
		n += (size_t)snprintf(text + n, size - n, " %s (%s):", bench__works[work].name,
			bench__works[work].what);
		for (size_t i = 0; i < results->n_peers && n < size; i++)
			n += (size_t)snprintf(text + n, size - n, "%s %s %.1f", i ? "," : "",
				results->peers[i].name, results->ns[i][work]);
		if (n < size)
			n += (size_t)snprintf(text + n, size - n, ".");
	}
	for (size_t i = 0; i < results->n_absent && n < size; i++)
		n += (size_t)snprintf(text + n, size - n, "%s %s", i ? "," : " Not here:", results->absent[i].name);
}

/* In one line below the works. */
static void draw_absent(struct svg *svg, const struct bench_results *results, double x, double y)
{
	char names[256];
	size_t n = 0;

	for (size_t i = 0; i < results->n_absent && n < sizeof(names); i++)
		n += (size_t)snprintf(names + n, sizeof(names) - n, "%s %s", i ? "," : "not here:",
			results->absent[i].name);
	if (n)
		svg__text(svg, x, y, SVG_LEFT, "small light", "%s", names);
}

int bench__draw(const struct bench_results *results, const char *file)
{
	const double width = 2 * MARGIN + COLUMNS * PANEL + (COLUMNS - 1) * GAP;
	const double height = 28 + (double)results->n_peers * STEP + GAP;
	const int n_rows = (BENCH_N_WORKS + COLUMNS - 1) / COLUMNS;
	char description[4096];
	struct svg *svg;

	describe(results, description, sizeof(description));
	svg = svg__new("Situs beside other allocators", description);
	svg__text(svg, MARGIN, 44, SVG_LEFT, "h1", "Situs beside other allocators");
	svg__text(svg, width - MARGIN, 44, SVG_RIGHT, "light", "CPU time a block, shorter is better; Situs in %s",
		results->place);
	svg__line(svg, MARGIN, 58, width - MARGIN, 58, "#cbd2d9");
	for (int work = 0; work < BENCH_N_WORKS; work++)
		draw_work(svg, results, work, MARGIN + work % COLUMNS * (PANEL + GAP),
			78 + work / COLUMNS * height);
	draw_absent(svg, results, MARGIN, 70 + n_rows * height);
	return svg__write(svg, width, 78 + n_rows * height, file);
}
