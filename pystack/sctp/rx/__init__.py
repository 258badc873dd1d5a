"""The receiving half of an association: which TSNs came, whole messages in their order, SACKs, the window."""
