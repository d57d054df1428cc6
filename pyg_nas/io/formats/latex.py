"""Tables for LaTeX documents, in the style of the package booktabs."""

from __future__ import annotations

from collections.abc import Sequence

from pyg_nas.io.text import printable

_ESCAPES = str.maketrans(
    {
        **{mark: f"\\{mark}" for mark in "&%$#_{}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        '"': r"\textquotedbl{}",
        "τ": r"$\tau$",
        "²": r"$^2$",
        "±": r"$\pm$",
        "−": r"$-$",
        "\N{NO-BREAK SPACE}": "~",
    }
)


def latex(text: object) -> str:
    r"""Return ``str(text)`` as text for LaTeX.

    Example:
        >>> latex("my_module:Net & 5 %")
        'my\\_module:Net \\& 5 \\%'
    """
    return printable(text).translate(_ESCAPES)


def latex_table(
    columns: Sequence[str], rows: Sequence[Sequence[object]], caption: str, label: str
) -> str:
    """Return a floating table: the first column to the left, the others to the right.

    Args:
        rows: Cells of each row, in the order of the columns.
        caption: Text above it.
        label: Label by which the document refers to it.
    """
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{latex(caption)}}}",
        rf"\label{{{label}}}",
        rf"\begin{{tabular}}{{l{'r' * (len(columns) - 1)}}}",
        r"\toprule",
        _row(columns),
        r"\midrule",
        *map(_row, rows),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _row(cells: Sequence[object]) -> str:
    return " & ".join(map(latex, cells)) + r" \\"
