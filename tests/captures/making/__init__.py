"""What makes the captures: credentials, servers, clients, and the cases that they go through."""
