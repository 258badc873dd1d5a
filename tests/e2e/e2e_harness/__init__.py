"""What the end-to-end tests share: real browsers, the server in this process, and the relay between them."""
