"""Fills the command line's page from the commands themselves."""

from __future__ import annotations

import re
from typing import Any

MARKER = "<!-- commands -->"
_EXAMPLE = re.compile(r"^Example: (.*)$", re.MULTILINE)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace the marker by all commands, their arguments and options."""
    return markdown.replace(MARKER, describe_commands()) if MARKER in markdown else markdown


def describe_commands() -> str:
    """Return the reference of all commands in Markdown."""
    import typer.main

    from pyg_nas.cli.app import app

    parts: list[str] = []
    _describe(typer.main.get_command(app), "pyg-nas", parts)
    return "\n".join(parts)


def _describe(command: Any, name: str, parts: list[str]) -> None:
    parts += [f"## `{name}`", "", _EXAMPLE.sub(r"```sh\n\1\n```", (command.help or "").strip()), ""]
    inner = getattr(command, "commands", None)
    if inner is not None:
        for key, sub in inner.items():
            _describe(sub, f"{name} {key}", parts)
        return
    rows = [_row(parameter) for parameter in command.params]
    parts += ["| option | meaning | default |", "|---|---|---|", *rows, ""]


def _row(parameter: Any) -> str:
    named = parameter.param_type_name == "option"
    name = ", ".join(parameter.opts + parameter.secondary_opts) if named else parameter.name.upper()
    default = parameter.default
    if parameter.required:
        shown = "required"
    elif default is None or callable(default):
        shown = ""
    else:
        shown = f"`{default}`"
    text = (getattr(parameter, "help", None) or "").replace("|", "\\|")
    return f"| `{name}` | {text} | {shown} |"
