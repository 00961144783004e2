"""A line chart as SVG, by hand: cost against the number of runs on the page."""

import math
from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 640, 360, 60, 50, 30, 150
NAME_HEIGHT = 14
COLOURS = ("#0b6e4f", "#c84630", "#3d5a98", "#8a6d1d")

Points = Sequence[tuple[float, float]]


def chart(title: str, x_title: str, y_title: str, lines: Mapping[str, Points]) -> str:
    """The lines by name over axes from zero."""
    x_most = max(x for points in lines.values() for x, _ in points)
    y_most = _rounded(max(y for points in lines.values() for _, y in points) or 1.0)

    def place(x: float, y: float) -> tuple[float, float]:
        return (
            LEFT + x / x_most * (WIDTH - LEFT - RIGHT),
            HEIGHT - BOTTOM - y / y_most * (HEIGHT - TOP - BOTTOM),
        )

    ends = _apart({name: place(*points[-1])[1] for name, points in lines.items()})
    shapes = [
        *(_grid(*place(0, y_most * part / 4), f"{y_most * part / 4:g}") for part in range(5)),
        *(_tick(place(x, 0)[0], f"{x:g}") for x in sorted({x for points in lines.values() for x, _ in points})),
        *(
            _line(name, ends[name], [place(*point) for point in points], COLOURS[number % len(COLOURS)])
            for number, (name, points) in enumerate(lines.items())
        ),
        _text(LEFT, 18, title, "start", "bold"),
        _text((WIDTH + LEFT - RIGHT) / 2, HEIGHT - 10, x_title),
        f'<g transform="rotate(-90 16 {HEIGHT / 2:g})">{_text(16, HEIGHT / 2, y_title)}</g>',
    ]
    inside = "\n".join(shapes)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="12">\n<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>\n{inside}\n</svg>\n'
    )


def _grid(x: float, y: float, label: str) -> str:
    line = f'<path d="M{x:.1f} {y:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>'
    return line + _text(x - 8, y + 4, label, "end")


def _tick(x: float, label: str) -> str:
    return _text(x, HEIGHT - BOTTOM + 18, label)


def _rounded(most: float) -> float:
    """The next of 1, 2, 4 or 8 times a power of ten, whose quarters are short numbers."""
    power: float = 10 ** math.floor(math.log10(most))
    return next(times * power for times in (1, 2, 4, 8, 10) if times * power >= most)


def _apart(heights: Mapping[str, float]) -> dict[str, float]:
    """Where the names go: each at its line's end, or as far below the name above that both can be read."""
    placed: dict[str, float] = {}
    free = 0.0
    for name, height in sorted(heights.items(), key=lambda one: one[1]):
        placed[name] = max(height, free)
        free = placed[name] + NAME_HEIGHT
    return placed


def _line(name: str, end: float, points: Points, colour: str) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points)
    drawn = f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
    return drawn + dots + f'<g fill="{colour}">{_text(points[-1][0] + 8, end + 4, name, "start")}</g>'


def _text(x: float, y: float, text: str, anchor: str = "middle", weight: str = "normal") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}">{escape(text)}</text>'
