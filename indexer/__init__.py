"""The product catalog (SQL) and its vector index (FAISS): arrays in, products out."""
