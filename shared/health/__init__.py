"""Whether the product is sound: liveness, and the invariants of the data with the job that queries them."""
