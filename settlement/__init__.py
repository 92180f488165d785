"""What usage comes to: fees, taxes, charges, bills and the postings that carry them."""
