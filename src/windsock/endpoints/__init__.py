"""The actions of steps on sockets, shared by clients and fakes."""
