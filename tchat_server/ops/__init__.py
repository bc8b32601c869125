"""What an operator sees and sets: logs, metrics, health, the watchdog."""
