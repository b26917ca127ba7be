"""The options of the command line that turn the telephone on."""

from __future__ import annotations

import argparse
import os
from base64 import b64encode

from realtime_nb.errors import ConfigError
from realtime_nb.secret import Secret
from realtime_nb.server.phone_options import SIP_PORT, SIZES, PhoneOptions, Webhook, parse_address
from realtime_nb.wire.webhooks import PREFIX

__all__ = ["add_phone_options", "phone_options"]

SECRET_VARIABLE = "REALTIME_NB_WEBHOOK_SECRET"  # noqa: S105 - the variable's name


def add_phone_options(parser: argparse.ArgumentParser) -> None:
    """Add them.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        The server's.
    """
    usual = f"127.0.0.1:{SIP_PORT}"
    sip = parser.add_argument_group("telephone calls (SIP; off unless asked for)")
    sip.add_argument("--sip", nargs="?", const=usual, metavar="ADDR", help=f"take calls at this address ({usual})")
    sip.add_argument(
        "--sip-from", action="append", default=[], metavar="NETWORK", help="whose calls; needed beyond this machine"
    )
    sip.add_argument(
        "--sip-limit",
        type=_limit,
        action="append",
        default=[],
        metavar="NAME=N",
        help=f"any limit of the telephone, by its name: {', '.join(SIZES)}",
    )
    sip.add_argument(
        "--webhook",
        metavar="URL",
        help=f"ask this program about each call, signed with ${SECRET_VARIABLE}; else every call is taken",
    )


def phone_options(given: argparse.Namespace) -> PhoneOptions | None:
    """Read them.

    Parameters
    ----------
    given : argparse.Namespace
        What was parsed.

    Returns
    -------
    PhoneOptions or None
        None where no telephone is wanted.

    Raises
    ------
    ConfigError
        When they would be unsafe, or are none.
    """
    if given.sip is None:
        return None
    try:
        host, port = parse_address(given.sip)
    except ValueError:
        raise ConfigError(f"--sip takes an address, not {given.sip!r}", hint="--sip 127.0.0.1:5060") from None
    webhook = None if given.webhook is None else _webhook(given.webhook)
    limits = dict(given.sip_limit)
    return PhoneOptions(host=host, port=port, networks=tuple(given.sip_from), webhook=webhook, **limits)


def _limit(given: str) -> tuple[str, float]:
    """Read ``NAME=N``."""
    name, _, value = given.partition("=")
    if name not in SIZES:
        raise argparse.ArgumentTypeError(f"there is no limit {name!r}; there are {', '.join(SIZES)}")
    return name, type(getattr(PhoneOptions, name))(value)


def _webhook(url: str) -> Webhook:
    """With the operator's secret, or one that is made up and shown at the start."""
    secret = Secret.of(os.environ.pop(SECRET_VARIABLE, None))
    made_up = Secret(PREFIX + b64encode(os.urandom(32)).decode())
    return Webhook(url, secret or made_up, made_up=secret is None)
