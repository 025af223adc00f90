"""What was measured, as a table with goals and as a chart."""

import html
import math
import statistics


def median(values):
    return statistics.median(values)


def spread(values, unit="s"):
    return f"{median(values):.2f} {unit} ({min(values):.2f} to {max(values):.2f})"


class Table:
    def __init__(self):
        self.rows, self.bars, self.good = [], [], True

    def at_most(self, what, value, limit, shown=None):
        """A figure that must not be above its goal."""
        self.add(what, shown or f"{value:.2f}", f"at most {limit:g}", value <= limit)

    def times(self, what, ours, theirs, least=0):
        """How many times as long the other takes; with both medians."""
        ratio = median(theirs) / median(ours)
        self.add(what, f"**{ratio:.1f}x**: {spread(ours)}, {spread(theirs)}", f"at least {least:g}x" if least else "", ratio >= least)

    def ratio(self, what, ours, theirs, most=math.inf):
        """How long it takes beside something that can't be beaten."""
        ratio = median(ours) / median(theirs)
        goal = "" if math.isinf(most) else f"at most {most:g}"
        self.add(what, f"**{ratio:.2f}**: {spread(ours)}, {spread(theirs)}", goal, ratio <= most)

    def part(self, what, ours, theirs, most):
        """A part of what another takes, as one in so many."""
        self.add(what, f"**1/{theirs / ours:.1f}**", f"at most 1/{1 / most:g}", ours <= theirs * most)

    def add(self, what, seen, goal, good):
        self.good &= good
        verdict = ("ok" if good else "MISSED") if goal else ""
        self.rows.append(f"| {what} | {seen} | {goal} | {verdict} |")

    def bar(self, group, name, values):
        self.bars.append((group, name, median(values)))

    def text(self):
        return "\n".join(["| what | seen: median (least to most) | goal | |", "|---|---|---|---|", *self.rows])

    def chart(self):
        """Bars on a scale of tens: what is compared differs by two orders of magnitude."""
        height, lines, group = 40, [], None
        least = min(seconds for *_, seconds in self.bars) / 2
        most = max(seconds for *_, seconds in self.bars)
        for of, name, seconds in self.bars:
            if of != group:
                group, height = of, height + 34
                lines.append(f'<text x="12" y="{height - 8}" font-weight="bold">{html.escape(of)}</text>')
            width = 480 * math.log(seconds / least) / math.log(most / least)
            colour = "#2b6cb0" if name.startswith("sdtd") else "#a0aec0"
            lines.append(f'<text x="150" y="{height + 13}" text-anchor="end">{html.escape(name)}</text>'
                         f'<rect x="158" y="{height}" width="{width:.0f}" height="18" fill="{colour}"/>'
                         f'<text x="{164 + width:.0f}" y="{height + 13}">{seconds:.2f} s</text>')
            height += 24
        return (f'<svg xmlns="http://www.w3.org/2000/svg" width="740" height="{height + 16}" font-family="sans-serif" '
                f'font-size="13"><rect width="100%" height="100%" fill="white"/>'
                f'<text x="12" y="24" font-size="15">Seconds, five hosts, on a logarithmic scale</text>{"".join(lines)}</svg>\n')
