"""``%load_ext realtime_nb``: a conversation by magics, and cells that speak to the model.

::

    extension     what is put into the shell, and taken out again
    rt  ask       %rt, and the cells %%ask and %%say
    watch         what later cells show becomes context
    holder        which session is meant
    complete      what Tab offers
    line          how a magic's line is read
    tap  cell     what a cell shows; running one inside another
"""

from __future__ import annotations

from realtime_nb.magics.extension import load, unload

__all__ = ["load", "unload"]
