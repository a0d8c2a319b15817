"""Several processes that are one server: the supervisor, the workers as it sees them, and what is common to them."""
