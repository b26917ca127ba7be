"""``realtime-nb logs``: list, show, search, delete and find the sessions that were kept."""

from __future__ import annotations

import argparse
import sys

from realtime_nb.errors import ConfigError
from realtime_nb.logs import shelf

__all__ = ["logs_options"]


def logs_options(parser: argparse.ArgumentParser) -> None:
    """Give a parser the verbs of ``realtime-nb logs``.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Of the command.
    """
    parser.description = shelf.STORED
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    verbs.add_parser("list", help="what was kept, the newest first").set_defaults(run=_list)
    show = verbs.add_parser("show", help="who said what in one")
    show.add_argument("name", nargs="?", default="last", metavar="NAME", help="the beginning is enough (%(default)s)")
    show.set_defaults(run=_show)
    found = verbs.add_parser("search", help="where something was said")
    found.add_argument("words", metavar="WORDS")
    found.set_defaults(run=_search)
    gone = verbs.add_parser("delete", help="delete some, or all")
    gone.add_argument("names", nargs="*", metavar="NAME")
    gone.add_argument("--all", action="store_true", help="all but those that go on")
    gone.set_defaults(run=_delete)
    path = verbs.add_parser("path", help="print where they are, or where one is")
    path.add_argument("name", nargs="?", metavar="NAME")
    path.set_defaults(run=_path)


def _tell(line: str) -> None:
    sys.stdout.write(f"{_plain(line)}\n")


def _plain(text: str) -> str:
    """Without control characters: what was said must not drive the terminal."""
    return "".join(
        letter if letter.isprintable() or letter in "\n\t" else "\N{REPLACEMENT CHARACTER}" for letter in text
    )


def _list(_given: argparse.Namespace) -> int:
    every = shelf.sessions()
    for kept in every:
        state = "  running" if kept.running else ""
        _tell(f"{kept.name:<24}  {kept.begun}  {kept.bytes / 1e6:8.1f} MB  {kept.model}  {kept.brain}{state}")
    if not every:
        _tell(f"Nothing is kept {'yet' if shelf.folder() else f'({shelf.SWITCH} is off)'}.")
    return 0


def _show(given: argparse.Namespace) -> int:
    from realtime_nb.archive import open_history
    from realtime_nb.archive.markdown import facts, rows, said, who

    saved = open_history(shelf.find(given.name).path)
    for name, fact in facts(saved):
        _tell(f"{name:>6}  {fact}")
    for row in rows(saved.history):
        if said(row):
            _tell(f"\n{who(row)}: {said(row)}")
    return 0


def _search(given: argparse.Namespace) -> int:
    count = 0
    for kept, name, words in shelf.search(given.words):
        count += 1
        _tell(f"{kept.name}  {name}: {' '.join(words.split())}")
    return 0 if count else 1


def _delete(given: argparse.Namespace) -> int:
    if bool(given.names) == given.all:
        raise ConfigError("Which? Names, or --all.", hint="realtime-nb logs delete --all")
    found = [kept for kept in shelf.sessions() if not kept.running] if given.all else map(shelf.find, given.names)
    for kept in list(found):
        shelf.delete(kept)
        _tell(f"{kept.name}: deleted")
    return 0


def _path(given: argparse.Namespace) -> int:
    place = shelf.find(given.name).path if given.name else shelf.folder()
    if place is None:
        raise ConfigError(f"Nothing is kept: {shelf.SWITCH} turns it off.", hint=f"unset {shelf.SWITCH}")
    _tell(str(place))
    return 0
