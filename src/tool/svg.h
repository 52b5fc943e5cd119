/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * svg.h - pictures as SVG text: what all of them share.
 *
 * A picture is built in memory and written in one go, so that a failure leaves no half of one. Every
 * picture has a title and a description for those who cannot see it; shapes have titles of their own,
 * which browsers show under the pointer. Coordinates are pixels. Running out of memory ends the program.
 */
#ifndef TOOL_SVG_H
#define TOOL_SVG_H

#include <stdio.h>

enum svg_anchor { SVG_LEFT, SVG_MIDDLE, SVG_RIGHT };

enum { SVG_N_COLOURS = 8 };

struct svg;

/* `description` says in words what is to be seen. */
struct svg *svg__new(const char *title, const char *description);

/* The colour of a node's memory, told apart by those who see few colours too. */
const char *svg__node_colour(int node);

/* The class of text that can be read on that colour. */
const char *svg__node_ink(int node);

/* "shape" is the attributes of a rectangle beyond its place; tip may be NULL. */
void svg__rect(struct svg *svg, double x, double y, double width, double height, const char *shape,
	const char *tip);
/* What follows, until it is drawn plainly again, is drawn so that it recedes. */
void svg__faint(struct svg *svg);
void svg__plain(struct svg *svg);
void svg__line(struct svg *svg, double x1, double y1, double x2, double y2, const char *colour);

/* class: "h1" "h2" "label" "small" "value" "light", any joined by spaces. */
void svg__text(struct svg *svg, double x, double y, enum svg_anchor anchor, const char *class,
	const char *format, ...) __attribute__((format(printf, 6, 7)));

/* Can the file be written? For words that work long before they draw; makes or empties it. The exit status. */
int svg__check(const char *file);

/* Writes the picture to a file ("-": standard output) and frees it; the exit status. */
int svg__write(struct svg *svg, double width, double height, const char *file);

#endif
