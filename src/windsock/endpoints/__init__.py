"""The actions of steps on sockets, and the runner of scripts; shared by clients and fakes."""
