# SPDX-License-Identifier: BSD-3-Clause
"""Pictures as SVG, written by hand: small, the same for the same results, and readable by machines too
(each has a title and a description, each bar a title of its own).

A picture is a grid of panels; a panel has one horizontal bar for each peer, shortest first where it
matters, with its figure. Situs's bars have a colour of their own; peers that place have a darker grey.
"""

from xml.sax.saxutils import escape

PANEL = 330      # width of a panel
LABEL = 158      # of which for the peers' names
FIGURE = 54      # and for the figures
ROW = 17
HEAD = 30
GAP = 22
COLUMNS = 3

STYLE = """
text { font: 11px system-ui, "DejaVu Sans", sans-serif; fill: #24292f; }
.title { font-size: 15px; font-weight: 600; }
.note { fill: #57606a; }
.panel { font-size: 12px; font-weight: 600; }
.figure { font-variant-numeric: tabular-nums; }
.own { fill: #0b62c4; } .own-text { fill: #0b62c4; font-weight: 600; }
.own2 { fill: #7db1ea; }
.placed { fill: #6e7781; } .plain { fill: #b6bec8; }
.base { stroke: #0b62c4; stroke-width: 1; stroke-dasharray: 3 3; }
.spread { stroke: #24292f; stroke-width: 1; }
"""


class Bar:
    def __init__(self, label, value, text, kind, low=None, high=None):
        """value, low, high: in any unit, the same in one panel; kind: own, own2, placed or plain."""
        self.label, self.value, self.text, self.kind = label, value, text, kind
        self.low, self.high = low, high


class Panel:
    def __init__(self, title, bars, note=""):
        self.title, self.bars, self.note = title, bars, note


def _full_width(panel):
    """What the longest bar stands for: one that is many times Situs's must not flatten the others."""
    values = sorted(b.value for b in panel.bars)
    own = [b.value for b in panel.bars if b.kind == "own"]
    middle = values[len(values) // 2]
    return min(values[-1], max([4 * o for o in own] + [1.5 * middle]))


def _panel(panel, x, y):
    room = PANEL - LABEL - FIGURE
    full = _full_width(panel) or 1
    out = [f'<text class="panel" x="{x}" y="{y + 12}">{escape(panel.title)}</text>']
    if panel.note:
        out.append(f'<text class="note" x="{x + PANEL}" y="{y + 12}" text-anchor="end">'
                   f'{escape(panel.note)}</text>')
    own = next((b for b in panel.bars if b.kind == "own"), None)
    left = x + LABEL
    for i, bar in enumerate(panel.bars):
        top = y + HEAD - 8 + i * ROW
        cut = bar.value > full
        width = max(1.0, room * min(bar.value, full) / full)
        emphasis = " own-text" if bar.kind == "own" else ""
        out.append(f'<g><title>{escape(f"{panel.title}: {bar.label}: {bar.text}")}</title>')
        out.append(f'<text class="{emphasis.strip()}" x="{left - 6}" y="{top + 11}" text-anchor="end">'
                   f'{escape(bar.label)}</text>')
        out.append(f'<rect class="{bar.kind}" x="{left}" y="{top + 1}" width="{width:.1f}" height="13"/>')
        if cut:  # longer than it is drawn
            out.append(f'<path d="M{left + room - 14} {top + 16} l5 -17 h5 l-5 17 z" fill="#fff"/>')
        elif bar.low is not None and bar.high > bar.low:
            a, b = (left + room * min(v, full) / full for v in (bar.low, bar.high))
            out.append(f'<path class="spread" d="M{a:.1f} {top + 7.5} H{b:.1f}"/>')
        out.append(f'<text class="figure{emphasis}" x="{left + room + 5}" y="{top + 11}">'
                   f'{escape(bar.text)}</text></g>')
    if own is not None and len(panel.bars) > 1:
        at = left + room * min(own.value, full) / full
        out.append(f'<path class="base" d="M{at:.1f} {y + HEAD - 10} V{y + HEAD - 6 + len(panel.bars) * ROW}"/>')
    return out


def picture(title, description, panels, columns=COLUMNS):
    """The text of an SVG file."""
    columns = min(columns, max(1, len(panels)))
    width = GAP + columns * (PANEL + GAP)
    body, y = [], 58
    for i in range(0, len(panels), columns):
        row = panels[i:i + columns]
        for k, panel in enumerate(row):
            body += _panel(panel, GAP + k * (PANEL + GAP), y)
        y += HEAD + max(len(p.bars) for p in row) * ROW + GAP
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{y}" '
        f'viewBox="0 0 {width} {y}" role="img" aria-labelledby="title description">',
        f'<title id="title">{escape(title)}</title>',
        f'<desc id="description">{escape(description)}</desc>',
        f"<style>{STYLE}</style>",
        f'<rect width="{width}" height="{y}" fill="#fff"/>',
        f'<text class="title" x="{GAP}" y="26">{escape(title)}</text>',
        f'<text class="note" x="{GAP}" y="43">{escape(description)}</text>',
        *body, "</svg>", ""])
