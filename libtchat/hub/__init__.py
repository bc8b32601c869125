"""The server's brain: who is here, what is decided, and in which order it may be told.

An item of a peer comes into `hub`. `router` finds out who asks (`login`, `identity`), `decider` decides what makes an
event on the newest state in the `ledger`, and everything stands in the `line` as an `entry` until it may leave by
`leaving`. What needs an answer from the shell waits as `work`.
"""
