"""The examples of deploy/: that they say what the product's own files say."""
