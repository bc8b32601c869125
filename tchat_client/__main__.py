"""`python -m tchat_client` is `tchat`."""

from tchat_client.cli import main

if __name__ == "__main__":
    main()
