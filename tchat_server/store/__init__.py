"""Where events are kept: the EventLog port and its adapters."""
