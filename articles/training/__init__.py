"""Reading the stored articles to train on them: in an order that is the same for any number of ranks and workers."""
