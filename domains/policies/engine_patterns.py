"""How large a regular expression becomes: RE2 is linear in the text, but its constant is the pattern's size."""

import re
from typing import Final

MAX_PATTERN_SIZE: Final = 2_000
_TOKEN: Final = re.compile(
    r"\\.|\[\^?\]?(?:\\.|\[:\w+:\]|[^\]\\])*\]|\((?:\?[^:)]*:)?|[)*+?|]|\{(\d+)(,?)(\d*)\}|.", re.DOTALL
)


def pattern_size(pattern: str) -> int | None:
    """The number of states that the pattern unfolds to, roughly and never less; None when it is too large.

    Counted repetitions multiply, also nested ones; a quoted part (backslash Q) would hide them and counts as too large.
    """
    if r"\Q" in pattern:
        return None
    sums, last = [0], 0  # the sizes of the open groups, and of the atom that a repetition would repeat
    for token in _TOKEN.finditer(pattern):
        text = token[0]
        if text[0] == "(":
            sums.append(0)
            last = 0
        elif text == ")" and len(sums) > 1:
            last = sums.pop() + 1
            sums[-1] += last
        elif token[1]:
            times = max(int(token[1][:9]), int(token[3][:9] or 0), 1)
            sums[-1] += last * (times - 1)
            last *= times
        else:
            last = last if text in "*+?" else 1
            sums[-1] += 1
        if sums[-1] > MAX_PATTERN_SIZE:
            return None
    return max(sum(sums), 1)
