"""Certificate chains: the paths there are, the rules that they have to keep, and what to say of those that do not."""
