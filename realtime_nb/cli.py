"""``realtime-nb``: the main job, the server, the models, and what is wrong here."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

from realtime_nb.errors import RealtimeError
from realtime_nb.gallery_site import export_options
from realtime_nb.logs.command import logs_options
from realtime_nb.replay import replay_options

if TYPE_CHECKING:
    from realtime_nb.engine.weights import Progress

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    argv : sequence of str, optional
        Without the program's name; by default the process' own.

    Returns
    -------
    int
        The exit status: 0 if all went well, 1 after an error, 2 for wrong usage, 130 after an interrupt.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        if arguments[:1] == ["serve"]:  # its options are the server's own
            return _serve(arguments[1:])
        given = _parser().parse_args(arguments)
        run: Callable[[argparse.Namespace], int] = given.run
        return run(given)
    except KeyboardInterrupt:
        return 130
    except RealtimeError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="realtime-nb", description="A laboratory for realtime voice models.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _demo_options(commands.add_parser("demo", help="say or play something to the model and see what happened"))
    commands.add_parser("serve", help="run the local engine as a server of the Realtime protocol")
    _models_options(commands.add_parser("models", help="list, fetch, verify or find the local engine's weights"))
    logs_options(commands.add_parser("logs", help="list, show, search or delete the sessions that were kept"))
    replay_options(commands.add_parser("replay", help="play a cassette: the conversation as it went, what it took"))
    export_options(commands.add_parser("export", help="make notebooks pages that play and need nothing else"))
    doctor = commands.add_parser("doctor", help="say what works on this machine, and how to mend what does not")
    doctor.set_defaults(run=_doctor)
    return parser


# ---------------------------------------------------------------- demo
def _demo_options(parser: argparse.ArgumentParser) -> None:
    said = parser.add_mutually_exclusive_group()
    said.add_argument("--wav", type=Path, metavar="FILE", help="play this recording to the model")
    said.add_argument("--text", help="type this instead of speaking")
    parser.add_argument("--to", default="local", help="local, openai, or a ws(s):// URL (%(default)s)")
    parser.add_argument("--voice", help="one of the API's voices")
    parser.add_argument("--out", type=Path, default=Path("realtime-nb-demo"), metavar="DIR", help="for what came of it")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.set_defaults(run=_demo)


def _demo(given: argparse.Namespace) -> int:
    from realtime_nb.demo import Demo, as_json, summary

    demo = Demo(text=given.text, wav=given.wav, to=given.to, voice=given.voice, out=given.out, quiet=given.json)
    report = demo.run()
    print(as_json(report) if given.json else summary(report))
    return 0


# ---------------------------------------------------------------- serve
def _serve(arguments: list[str]) -> int:
    _need_engine()
    from realtime_nb.server.command import parse_options
    from realtime_nb.server.launch import serve

    return serve(parse_options(arguments, prog="realtime-nb serve"))


def _need_engine() -> None:
    from importlib.util import find_spec

    from realtime_nb.errors import MissingExtra

    missing = [name for name in ("onnxruntime", "xllamacpp", "starlette", "uvicorn") if find_spec(name) is None]
    if missing:
        raise MissingExtra(
            f"the local engine needs {', '.join(missing)}, which is not installed",
            hint='pip install "realtime-nb[local]"',
        )


# ---------------------------------------------------------------- models
def _models_options(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    verbs.add_parser("list", help="what there is, and what is here").set_defaults(run=_models_list)
    for verb, run, what in (
        ("fetch", _models_fetch, "fetch (by default: what the engine would choose here)"),
        ("verify", _models_verify, "check the digests of what is here"),
        ("path", _models_path, "print where the files are"),
    ):
        command = verbs.add_parser(verb, help=what)
        command.add_argument("names", nargs="*", metavar="NAME")
        command.set_defaults(run=run)


def _models_list(_given: argparse.Namespace) -> int:
    from realtime_nb.engine.weights import models, present

    rows = [("name", "stage", "size", "here", "licence")]
    for weights in models():
        here = "yes" if present(weights.name) else "no"
        rows.append((weights.name, weights.stage, f"{weights.size / 1e6:.0f} MB", here, weights.licence))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0


def _models_fetch(given: argparse.Namespace) -> int:
    from realtime_nb.engine.build import default_weights
    from realtime_nb.engine.weights import ensure

    for name in given.names or default_weights():
        with _Bar(name) as bar:
            ensure(name, progress=bar)
        print(f"{name}: here and verified")
    return 0


class _Bar:
    """A progress bar for one model's files."""

    def __init__(self, name: str) -> None:
        from tqdm import tqdm

        self._bar = tqdm(desc=name, unit="B", unit_scale=True, leave=False, disable=None)

    def __call__(self, progress: Progress) -> None:
        self._bar.total, self._bar.n = progress.total_bytes, progress.done_bytes
        self._bar.refresh()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.close()


def _models_verify(given: argparse.Namespace) -> int:
    from realtime_nb.engine.weights import models, present, verify

    bad = False
    for name in given.names or [weights.name for weights in models() if present(weights.name)]:
        for file, state in verify(name).items():
            bad |= state != "ok"
            print(f"{name}/{file}: {state}")
    return int(bad)


def _models_path(given: argparse.Namespace) -> int:
    from realtime_nb.engine.weights import models, path

    for name in given.names or [weights.name for weights in models()]:
        print(path(name))
    return 0


# ---------------------------------------------------------------- doctor
def _doctor(_given: argparse.Namespace) -> int:
    from realtime_nb.doctor import examine, table

    findings = examine()
    print(table(findings))
    return 1 if any(finding.state == "broken" for finding in findings) else 0


if __name__ == "__main__":
    sys.exit(main())
