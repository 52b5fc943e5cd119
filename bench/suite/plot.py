# SPDX-License-Identifier: BSD-3-Clause
"""Pictures as SVG, plotted by matplotlib: text stays text, the same results give the same file, and what a
picture shows can be heard too (it has a title and a description, and so has each bar). A viewer that likes
it dark gets it dark.

A picture is a grid of panels; a panel has one horizontal bar for each peer, shortest first where it
matters, with its figure. Situs's bars have a colour of their own; peers that place have a darker grey.
"""

import io
import os
import subprocess
import sys
import xml.etree.ElementTree as ET

try:
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure
except ImportError:
    matplotlib = None

MISSING = "no matplotlib here; Debian package python3-matplotlib"

DISTRIBUTION = "/usr/bin/python3"


def become_who_can():
    """Runs the program anew by the distribution's python3 where that has matplotlib and this one has not;
    another may come first in the path. Else it returns."""
    if matplotlib is None and os.path.realpath(sys.executable) != os.path.realpath(DISTRIBUTION) and \
            os.access(DISTRIBUTION, os.X_OK) and \
            subprocess.run([DISTRIBUTION, "-c", "import matplotlib"], stderr=subprocess.DEVNULL).returncode == 0:
        os.execv(DISTRIBUTION, [DISTRIBUTION, *sys.argv])


# Pixels; matplotlib's points are an SVG's pixels.
PANEL, LABEL, FIGURE = 330, 158, 54  # the width of a panel, of which for the peers' names and the figures
ROW, HEAD, GAP, TOP, COLUMNS = 17, 22, 22, 58, 3
BAR = 13 / ROW  # what a bar takes of its row

INK, FAINT, PAPER, BLUE = "#24292f", "#57606a", "#ffffff", "#0b62c4"
COLOURS = {"own": BLUE, "own2": "#7db1ea", "placed": "#6e7781", "plain": "#b6bec8"}
STYLE = {"svg.fonttype": "none", "svg.hashsalt": "situs", "font.family": ["DejaVu Sans", "sans-serif"],
         "font.size": 11, "text.color": INK, "path.simplify": False}
# By the names that groups have in the file: see `named`.
DARK = """@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 !important; } #note text { fill: #9198a1 !important; }
[id^="own-"] text { fill: #6cb6ff !important; } #paper path, [id^="cut-"] path { fill: #0d1117 !important; }
[id^="bar-own-"] path { fill: #388bfd !important; } [id^="bar-plain-"] path { fill: #8b949e !important; }
[id^="bar-placed-"] path { fill: #545d68 !important; } [id^="spread-"] path { stroke: #e6edf3 !important; }
[id^="base-"] path { stroke: #6cb6ff !important; } }"""

NS = "http://www.w3.org/2000/svg"
ET.register_namespace("", NS)
ET.register_namespace("xlink", "http://www.w3.org/1999/xlink")


class Bar:
    def __init__(self, label, value, text, kind, low=None, high=None):
        """value, low, high: in any unit, the same in one panel; kind: own, own2, placed or plain."""
        self.label, self.value, self.text, self.kind = label, value, text, kind
        self.low, self.high = low, high


class Panel:
    def __init__(self, title, bars):
        self.title, self.bars = title, bars


def _full_width(panel):
    """What the longest bar stands for: one that is many times Situs's must not flatten the others."""
    values = sorted(b.value for b in panel.bars)
    own = [b.value for b in panel.bars if b.kind == "own"]
    middle = values[len(values) // 2]
    return min(values[-1], max([4 * o for o in own] + [1.5 * middle])) or 1


class _Page:
    """A figure whose corner is above on the left; things on it have names, and maybe words to be heard."""

    def __init__(self, width, height):
        self.width, self.height = width, height
        self.figure = Figure(figsize=(width / 72, height / 72), dpi=72, facecolor=PAPER)
        FigureCanvasSVG(self.figure)
        self.figure.patch.set_gid("paper")
        self.words = {}  # of named groups

    def named(self, artist, name, words=None):
        artist.set_gid(name)
        if words:
            self.words[name] = words
        return artist

    def text(self, x, y, text, name=None, **how):
        artist = self.figure.text(x / self.width, 1 - y / self.height, text, **how)
        if name:
            self.named(artist, name)

    def axes(self, x, y, width, height, full, n_rows):
        axes = self.figure.add_axes((x / self.width, 1 - (y + height) / self.height, width / self.width,
                                     height / self.height), frameon=False, xlim=(0, full),
                                    ylim=(n_rows - 0.5, -0.5), xticks=[], yticks=[])
        return axes

    def svg(self, title, description):
        out = io.BytesIO()
        self.figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None, "Type": None,
                                                         "Format": None})
        return _told(out.getvalue(), title, description, self.words)


def _told(svg, title, description, words):
    """The SVG with what it shows in words, and its colours for the dark."""
    root = ET.fromstring(svg)
    for metadata in root.findall(f"{{{NS}}}metadata"):
        root.remove(metadata)
    for key, value in (("role", "img"), ("aria-labelledby", "title description")):
        root.set(key, value)
    for key in ("width", "height"):
        root.set(key, root.get(key).removesuffix("pt"))
    for where, (tag, name, text) in enumerate((("title", "title", title), ("desc", "description", description),
                                               ("style", None, DARK))):
        element = ET.Element(f"{{{NS}}}{tag}", {"id": name} if name else {})
        element.text = text
        element.tail = "\n"
        root.insert(where, element)
    for group in root.iter(f"{{{NS}}}g"):
        said = words.get(group.get("id"))
        if said:
            element = ET.Element(f"{{{NS}}}title")
            element.text = said
            group.insert(0, element)
    return ET.tostring(root, encoding="unicode") + "\n"


def _bar(page, axes, panel, name, i, full):
    bar = panel.bars[i]
    own = bar.kind == "own"
    words = f"{panel.title}: {bar.label}: {bar.text}"
    drawn = axes.barh(i, min(bar.value, full), BAR, color=COLOURS[bar.kind], linewidth=0)
    page.named(drawn[0], f"bar-{bar.kind}-{name}-{i}", words)
    if bar.value > full:  # longer than it is drawn
        lean = full / (PANEL - LABEL - FIGURE)
        cut = axes.fill([full - 14 * lean, full - 9 * lean, full - 4 * lean, full - 9 * lean],
                        [i + 0.5, i - 0.5, i - 0.5, i + 0.5], color=PAPER, linewidth=0)
        page.named(cut[0], f"cut-{name}-{i}")
    elif bar.low is not None and bar.high > bar.low:
        line = axes.hlines(i, min(bar.low, full), min(bar.high, full), color=INK, linewidth=1)
        page.named(line, f"spread-{name}-{i}")
    look = {"va": "center_baseline", "color": BLUE if own else INK, "weight": "semibold" if own else "normal"}
    for kind, x, text, side in (("label", -6, bar.label, "right"), ("figure", PANEL - LABEL - FIGURE + 5, bar.text,
                                                                    "left")):
        written = axes.annotate(text, (0, i), (x, 0), textcoords="offset points", ha=side, **look)
        page.named(written, f"{'own' if own else 'peer'}-{kind}-{name}-{i}")


def _panel(page, panel, name, x, y):
    full = _full_width(panel)
    height = len(panel.bars) * ROW
    page.text(x, y + 10, panel.title, fontsize=12, weight="semibold", va="baseline")
    axes = page.axes(x + LABEL, y + HEAD, PANEL - LABEL - FIGURE, height, full, len(panel.bars))
    for i in range(len(panel.bars)):
        _bar(page, axes, panel, name, i, full)
    own = next((b for b in panel.bars if b.kind == "own"), None)
    if own is not None and len(panel.bars) > 1:
        line = axes.axvline(min(own.value, full), color=BLUE, linewidth=1, linestyle=(0, (3, 3)), clip_on=False)
        page.named(line, f"base-{name}")


def picture(title, description, panels, columns=COLUMNS):
    """The text of an SVG file."""
    columns = min(columns, max(1, len(panels)))
    rows = [panels[i:i + columns] for i in range(0, len(panels), columns)]
    heights = [HEAD + max(len(p.bars) for p in row) * ROW + GAP for row in rows]
    with matplotlib.rc_context(STYLE):
        page = _Page(max(GAP + columns * (PANEL + GAP), 700), TOP + sum(heights))
        page.text(GAP, 26, title, fontsize=15, weight="semibold", va="baseline")
        page.text(GAP, 43, description, "note", color=FAINT, va="baseline")
        y = TOP
        for k, row in enumerate(rows):
            for column, panel in enumerate(row):
                _panel(page, panel, f"{k}-{column}", GAP + column * (PANEL + GAP), y)
            y += heights[k]
        return page.svg(title, description)
