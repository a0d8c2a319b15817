"""A chat whose members are known by their certificates."""
