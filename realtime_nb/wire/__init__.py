"""The wires beside the WebSocket, without I/O: SIP, SDP, RTP, and signed webhooks. No socket, no clock, no chance."""
