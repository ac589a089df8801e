"""What a step does to a socket, and what runs a script; shared by clients and fakes."""
