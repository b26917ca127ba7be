"""SIP without sockets (RFC 3261): messages, transactions, dialogs, and an agent that answers and places calls."""
