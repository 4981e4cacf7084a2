"""What the consumer costs, measured against what people would write: see `docs/performance.md`."""
