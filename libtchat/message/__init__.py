"""The words: requests, events, replies, errors, names, and the numbers of the protocol."""
