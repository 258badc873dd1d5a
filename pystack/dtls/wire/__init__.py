"""The wire formats of DTLS: records, handshake messages, extensions, alerts. Pure functions and values."""
