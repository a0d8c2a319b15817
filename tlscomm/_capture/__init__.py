"""Captures of packets: pcap and pcapng, what is in a packet, and TCP put together again. It knows nothing of TLS."""
