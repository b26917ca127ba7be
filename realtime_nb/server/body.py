"""The body of a request, as far as it may go."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request

__all__ = ["read_body"]


async def read_body(request: Request, limit: int) -> bytes:
    """Read a body, but never more than the limit.

    Parameters
    ----------
    request : Request
        Whose body.
    limit : int
        Bytes.

    Returns
    -------
    bytes
        All of it.

    Raises
    ------
    HTTPException
        413, when it is larger.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise HTTPException(413, f"The body is larger than {limit:,} bytes.")
    return bytes(body)
