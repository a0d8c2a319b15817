"""What a server is to do, as files and options say it, before anything is read or opened."""
