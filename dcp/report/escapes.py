"""Text as Markdown and LaTeX that shows it as it is: what a run is called makes no link, heading, cell or command."""

import re

# What means something in Markdown, or in GitHub's: signs, underscores at the end of a word, HTML entities, and what
# makes addresses of text: "https:" before "//", the first dot behind "www", @ where a dot follows.
SIGNS = re.compile(
    r"[\\|*<`\[\]!#~$]|(?<![^\W_])_|_(?![^\W_])|&(?=#?\w+;)|(?<=\w):(?=//)|(?i:(?<=\bwww))\.|@(?=[\w-]*\.)"
)
OPENS = re.compile(r"^(\d{0,9})([-+>=.)])(?=\W|$)")  # what begins a list, a quotation or a rule in a line
BEHIND = r"\1\\\2"  # a backslash
LATEX = {
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\char34{}",
}


def in_markdown(text: str) -> str:
    """Text within a line of Markdown."""
    return SIGNS.sub(r"\\\g<0>", text)


def line_in_markdown(text: str) -> str:
    """A line of Markdown for itself, which opens no list."""
    return OPENS.sub(BEHIND, in_markdown(text.strip()))


def in_latex(text: str) -> str:
    r"""Text for LaTeX; a number has a minus, where text has a hyphen.

    >>> print(in_latex("a_b 50% -1.5"))
    a\_b 50\% $-$1.5
    """
    return re.sub(r"(?<![\w-])-(?=\d)", "$-$", "".join(LATEX.get(sign, sign) for sign in text))
