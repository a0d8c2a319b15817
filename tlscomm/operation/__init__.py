"""What an operator sees of a server: numbers, health, the status, the sites that tell them; and what expires."""
