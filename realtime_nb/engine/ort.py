"""ONNX models in the process: one thread each, little memory, and a run that can be stopped."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from realtime_nb.errors import MissingExtra, ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["EXTRA", "Cancelled", "Model"]

EXTRA = 'pip install "realtime-nb[local]"'
"""The line that installs what the local engine runs on."""

_WATCH_S = 0.01
"""How often a cancel is looked at during a run; the graph then stops at its next node."""


class Cancelled(Exception):
    """The run was stopped by the caller's cancel."""


class Model:
    """A loaded graph; safe to run from several threads at once.

    It computes in one arena that shrinks after each long run: without an arena
    a long sentence of Kokoro takes 2.2 GB at its peak and a fifth more time, with
    one that does not shrink, 0.3 GB stay taken (measured, onnxruntime 1.32).

    Parameters
    ----------
    path : Path
        An ``.onnx`` or ``.ort`` file.

    Raises
    ------
    MissingExtra
        Without onnxruntime.
    ModelError
        If the file does not load.
    """

    def __init__(self, path: Path) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise MissingExtra(
                "The local engine runs on onnxruntime.", hint='pip install "realtime-nb[local]"'
            ) from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # on shared cores, two cost more and are no sooner done (measured)
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # waiting burns no core
        options.enable_mem_pattern = False  # it keeps a plan, and the room, for every length seen
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise ModelError(
                f"{path.name} of {path.parent.name} does not load: {str(error).splitlines()[0]}",
                hint=f"realtime-nb models verify {path.parent.name}",
            ) from error
        self._onnxruntime = onnxruntime
        self.inputs: tuple[str, ...] = tuple(node.name for node in self._session.get_inputs())
        self.outputs: tuple[str, ...] = tuple(node.name for node in self._session.get_outputs())

    def run(
        self,
        feeds: Mapping[str, NDArray[Any]],
        outputs: Sequence[str] | None = None,
        *,
        cancel: threading.Event | None = None,
    ) -> list[NDArray[np.float32]]:
        """Compute.

        Parameters
        ----------
        feeds : dict of str to ndarray
            The inputs.
        outputs : sequence of str, optional
            Which outputs are wanted; all by default.
        cancel : threading.Event, optional
            Watched during the run: worth its thread for runs over 20 ms. Such a run
            also gives its memory back.

        Returns
        -------
        list of ndarray of float32
            In the order of `outputs`.

        Raises
        ------
        Cancelled
            If `cancel` was set before or during the run.
        """
        names = list(outputs) if outputs is not None else None
        if cancel is None:
            return list(self._session.run(names, dict(feeds)))
        if cancel.is_set():
            raise Cancelled
        options = self._onnxruntime.RunOptions()
        options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
        with _watched(options, cancel):
            try:
                return list(self._session.run(names, dict(feeds), options))
            except Exception as error:
                if cancel.is_set():
                    raise Cancelled from error
                raise


@contextmanager
def _watched(options: Any, cancel: threading.Event) -> Iterator[None]:
    """Terminate the run that has `options` once `cancel` is set."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(_WATCH_S):
            if cancel.is_set():
                options.terminate = True
                return

    watcher = threading.Thread(target=watch, name="realtime-nb cancel", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
