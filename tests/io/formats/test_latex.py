from __future__ import annotations

from pyg_nas.io.formats.latex import latex, latex_table


def test_special_characters_are_text() -> None:
    assert latex("a_b & 5 % of $x^2 ~ {y} # \\z") == (
        r"a\_b \& 5 \% of \$x\textasciicircum{}2 \textasciitilde{} \{y\} \# \textbackslash{}z"
    )
    assert latex("τ, points² ± 1") == r"$\tau$, points$^2$ $\pm$ 1"
    assert latex("a\x1bb") == r"a\textbackslash{}x1bb"


def test_a_table() -> None:
    assert latex_table(["name", "n"], [["a_b", 3], ["c", "4 %"]], "50 % of it.", "tab:x") == (
        "\\begin{table}\n\\centering\n\\caption{50 \\% of it.}\n\\label{tab:x}\n"
        "\\begin{tabular}{lr}\n\\toprule\nname & n \\\\\n\\midrule\n"
        "a\\_b & 3 \\\\\nc & 4 \\% \\\\\n\\bottomrule\n\\end{tabular}\n\\end{table}\n"
    )
