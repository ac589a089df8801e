"""Steps carried out on sockets, and the runner of scripts; shared by clients and fakes."""
