"""What goes over a socket besides the protocol itself: HTTP as far as a page needs it, and WebSocket."""
