"""What a few sizes say of a larger one: each figure as a fixed part and a part for every host."""


class Line:
    """The straight line through points that has the least squares of errors."""

    def __init__(self, points):
        self.points = points
        self.fixed, self.each = fit(points)

    def at(self, n):
        return self.fixed + self.each * n

    def off(self):
        """How far the largest size seen is from what the others say of it, as a part of it; none: too few others."""
        *others, (n, seen) = self.points
        if len(others) < 2:
            return None
        fixed, each = fit(others)
        return (fixed + each * n) / seen - 1


def fit(points):
    n = len(points)
    middle_x = sum(x for x, _ in points) / n
    middle_y = sum(y for _, y in points) / n
    each = sum((x - middle_x) * (y - middle_y) for x, y in points) / sum((x - middle_x) ** 2 for x, _ in points)
    return middle_y - each * middle_x, each


def told(lines, far):
    rows = ["| what | fixed | each host | foretold | the largest seen, foretold by the others |", "|---|---|---|---|---|"]
    for name, line in lines.items():
        off = line.off()
        rows.append(f"| {name} | {line.fixed:.3g} | {line.each:.3g} | **{line.at(far):.3g}** | "
                    f"{'-' if off is None else f'{off:+.0%}'} |")
    return "\n".join(rows)
