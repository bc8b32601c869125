"""What an operator may have done, on a running server or on its database alone."""
