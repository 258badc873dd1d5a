"""The parts of an RTP session: one stream each, or one job over all streams. Only :mod:`pystack.rtp` uses them."""
