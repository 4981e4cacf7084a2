"""`ArticleDataset` for other libraries. Each module imports one that is not needed otherwise: PyTorch, Hugging Face
`datasets`, Arrow; `buckets` needs none."""
