"""The local Realtime server: HTTP and ``/v1/realtime`` on one port, on this machine, behind a token."""
