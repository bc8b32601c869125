"""What an operator sees of a server, and asks it: logs, metrics, health, the socket beside the database."""
