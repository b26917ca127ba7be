"""The options of the command line that turn the telephone on."""

from __future__ import annotations

import argparse
import os
from base64 import b64encode

from realtime_nb.errors import ConfigError
from realtime_nb.secret import Secret
from realtime_nb.server.phone_options import SIP_PORT, PhoneOptions, Webhook, parse_address
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
    webhook = None if given.webhook is None else Webhook(given.webhook, _secret())
    return PhoneOptions(host=host, port=port, networks=tuple(given.sip_from), webhook=webhook)


def _secret() -> Secret:
    """The operator's, or one that is made up and shown at the start."""
    return Secret.of(os.environ.pop(SECRET_VARIABLE, None)) or Secret(PREFIX + b64encode(os.urandom(32)).decode())
