"""Neural networks: pixels in, arrays out. Knows nothing of products, SQL or HTTP."""
