"""windsock beside tools that replace parts of the standard library: one list of scenarios, a module for each tool."""
