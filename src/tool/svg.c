/* SPDX-License-Identifier: BSD-3-Clause */
/* svg.c - pictures as SVG text. */
#include "config.h"

#include "tool/svg.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "os/os.h"
#include "tool/tool.h"

struct svg {
	char *title, *description;
	char *body;
	size_t size;
	FILE *stream; /* to body */
};

/* After Okabe and Ito, "Color universal design" (2008), which stays apart for colour-blind eyes. */
static const char *const colours[SVG_N_COLOURS] = {
	"#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#7a5195", "#8f8a00",
};

const char *svg__node_colour(int node)
{
	return colours[node % SVG_N_COLOURS];
}

const char *svg__node_ink(int node)
{
	const int colour = node % SVG_N_COLOURS;

	return colour == 1 || colour == 3 || colour == 4 ? "bold" : "on";
}

static void *need(void *memory)
{
	if (!memory)
		exit(tool__fail(TOOL_FAILED, "out of memory"));
	return memory;
}

struct svg *svg__new(const char *title, const char *description)
{
	struct svg *svg = need(calloc(1, sizeof(*svg)));

	svg->title = need(strdup(title));
	svg->description = need(strdup(description));
	svg->stream = need(open_memstream(&svg->body, &svg->size));
	return svg;
}

/* Text of people and of other processes: nothing in it is markup, nothing controls anything. */
static void escape(FILE *stream, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '<':
			fputs("&lt;", stream);
			break;
		case '>':
			fputs("&gt;", stream);
			break;
		case '&':
			fputs("&amp;", stream);
			break;
		case '"':
			fputs("&quot;", stream);
			break;
		default:
			/* Beyond ASCII it may not be UTF-8, and then no browser would open the file. */
			fputc(*text < ' ' || *text > '~' ? '?' : *text, stream);
		}
	}
}

void svg__rect(struct svg *svg, double x, double y, double width, double height, const char *shape,
	const char *tip)
{
	fprintf(svg->stream, "<rect x=\"%.5g\" y=\"%.5g\" width=\"%.5g\" height=\"%.5g\" %s", x, y, width,
		height, shape);
	if (!tip) {
		fputs("/>\n", svg->stream);
		return;
	}
	fputs("><title>", svg->stream);
	escape(svg->stream, tip);
	fputs("</title></rect>\n", svg->stream);
}

void svg__faint(struct svg *svg)
{
	fputs("<g opacity=\"0.3\">\n", svg->stream);
}

void svg__plain(struct svg *svg)
{
	fputs("</g>\n", svg->stream);
}

void svg__line(struct svg *svg, double x1, double y1, double x2, double y2, const char *colour)
{
	fprintf(svg->stream, "<line x1=\"%.5g\" y1=\"%.5g\" x2=\"%.5g\" y2=\"%.5g\" stroke=\"%s\"/>\n", x1, y1,
		x2, y2, colour);
}

void svg__text(struct svg *svg, double x, double y, enum svg_anchor anchor, const char *class,
	const char *format, ...)
{
	static const char *const anchors[] = { "start", "middle", "end" };
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fprintf(svg->stream, "<text x=\"%.5g\" y=\"%.5g\" text-anchor=\"%s\" class=\"%s\">", x, y,
		anchors[anchor], class);
	escape(svg->stream, text);
	fputs("</text>\n", svg->stream);
}

static void write_head(const struct svg *svg, double width, double height, FILE *stream)
{
	fprintf(stream, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
		"viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-labelledby=\"title description\">\n",
		width, height, width, height);
	fputs("<title id=\"title\">", stream);
	escape(stream, svg->title);
	fputs("</title>\n<desc id=\"description\">", stream);
	escape(stream, svg->description);
	fputs("</desc>\n<style>\n"
		"text { font: 13px 'DejaVu Sans', system-ui, sans-serif; fill: #1f2933; }\n"
		".h1 { font-size: 20px; font-weight: bold; }\n"
		".h2 { font-size: 15px; font-weight: bold; }\n"
		".small { font-size: 11px; }\n"
		".value { font-size: 12px; font-variant-numeric: tabular-nums; }\n"
		".mono { font: 11px 'DejaVu Sans Mono', ui-monospace, monospace; }\n"
		".light { fill: #52606d; }\n"
		".bold { font-weight: bold; }\n"
		".on { fill: #ffffff; font-weight: bold; }\n"
		"</style>\n"
		"<defs><pattern id=\"hatch\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" "
		"patternTransform=\"rotate(45)\"><rect width=\"6\" height=\"6\" fill=\"#fbeaea\"/>"
		"<rect width=\"2.5\" height=\"6\" fill=\"#b3261e\"/></pattern></defs>\n", stream);
	fprintf(stream, "<rect width=\"%.0f\" height=\"%.0f\" fill=\"#ffffff\"/>\n", width, height);
}

/* The stream, closed; true where all of it was written. */
static bool finish(FILE *stream)
{
	bool failed = ferror(stream) || fflush(stream);

	if (stream != stdout)
		failed |= fclose(stream) != 0;
	return !failed;
}

int svg__check(const char *file)
{
	FILE *stream = strcmp(file, "-") == 0 ? stdout : fopen(file, "we");

	if (!stream)
		return tool__fail(TOOL_FAILED, "%.200s cannot be written: %s", file, os__strerror(errno));
	if (stream != stdout)
		fclose(stream);
	return TOOL_OK;
}

int svg__write(struct svg *svg, double width, double height, const char *file)
{
	FILE *stream = strcmp(file, "-") == 0 ? stdout : fopen(file, "we");
	int status = TOOL_OK;

	if (fclose(svg->stream))
		need(NULL);
	if (!stream) {
		status = tool__fail(TOOL_FAILED, "%.200s cannot be written: %s", file, os__strerror(errno));
	} else {
		write_head(svg, width, height, stream);
		fwrite(svg->body, 1, svg->size, stream);
		fputs("</svg>\n", stream);
		if (!finish(stream))
			status = tool__fail(TOOL_FAILED, "%.200s cannot be written: %s", file,
				os__strerror(errno));
	}
	free(svg->title);
	free(svg->description);
	free(svg->body);
	free(svg);
	return status;
}
