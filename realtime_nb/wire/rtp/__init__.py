"""RTP without sockets (RFC 3550, 3551, 4733): packets, order, keys pressed, and the two ways of a call's sound."""
