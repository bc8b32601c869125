"""Events kept by NATS JetStream, for several servers that are one. Nothing here is imported without `--db nats://…`."""
