"""All requests in one thread, a greenlet for each."""
