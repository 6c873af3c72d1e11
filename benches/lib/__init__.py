"""What the benchmarks share: servers, data, peers, a client, measures."""
