"""Messages of real protocols, as values: XDR, Sun RPC, record marking, portmap. No I/O."""
