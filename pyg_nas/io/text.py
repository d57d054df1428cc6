"""Text for a terminal, a page, a picture or a file: names from users and files made safe."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

from pyg_nas.errors import SettingsError, quoted

# Control characters (ESC of ANSI sequences among them), marks that reorder text (bidi), line
# separators, invisible tags, characters that XML forbids, and lone surrogates, which no encoding
# can write.
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb"
    "\ufffe\uffff\ud800-\udfff\U000e0000-\U000e007f]"
)

_LEAST_WITH_FOUR_DECIMALS = 1e-3


def printable(text: object) -> str:
    r"""Return ``str(text)`` with every character that is not plain text as its escape code.

    Markup is not escaped: escape it afterwards by the rules of the format.

    Example:
        >>> printable("a\x1b[31mb\udcff")
        'a\\x1b[31mb\\udcff'
    """
    return _UNPRINTABLE.sub(lambda found: ascii(found[0])[1:-1], str(text))


def check_text(what: str, text: str) -> None:
    """Check that a name can be stored in a file: some bytes of a path are no UTF-8.

    Raises:
        SettingsError: If it cannot.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise SettingsError(f"{what} {quoted(text)} must be UTF-8 text") from None


def counted(number: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun, ``many`` by default with an s.

    Example:
        >>> counted(1, "class", "classes"), counted(1438, "cell")
        ('1 class', '1,438 cells')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def decimals_format(value: float) -> str:
    """Return the format of a number: four decimals, or three digits of a number below 0.001.

    Example:
        >>> f"{0.5:{decimals_format(0.5)}}", f"{0.000123456:{decimals_format(0.000123456)}}"
        ('0.5000', '0.000123')
    """
    return ".3g" if 0 < abs(value) < _LEAST_WITH_FOUR_DECIMALS else ".4f"


def percent(fraction: float, digits: int = 0) -> str:
    """Return a fraction in percent.

    Example:
        >>> percent(0.95), percent(0.0523, 1)
        ('95 %', '5.2 %')
    """
    return f"{100 * fraction:.{digits}f} %"


def folder_name(path: Path) -> str:
    """Return the name of a folder, also of ``.`` and ``..``; a link keeps its own."""
    return path.resolve().name if path.name in ("", "..") else path.name


def milliseconds(seconds: float) -> str:
    """Return a latency in milliseconds with two decimals and the unit."""
    return f"{1000 * seconds:.2f} ms"


def time_unit(seconds: float) -> tuple[float, str]:
    """Return the unit in which a time is shown, in seconds, and its symbol."""
    if seconds >= 5400:
        return 3600.0, "h"
    return (60.0, "min") if seconds >= 90 else (1.0, "s")


def markup(text: object) -> str:
    """Return ``str(text)`` as text for HTML, SVG and Plotly, whose labels have markup too."""
    return escape(printable(text))


def markdown(text: object) -> str:
    """Return ``str(text)`` as text for Markdown, also inside a table."""
    everywhere, entities, starts = r"[\\`*_{}\[\]<>|~$]", r"&(?=#?\w+;)", r"^[-+#]"
    return re.sub(f"({everywhere}|{entities}|{starts})", r"\\\1", printable(text))
