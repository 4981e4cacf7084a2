"""What lies in S3: schema, keys, container files, the chain, and the commands that read them."""

__version__ = "1.0.0"
