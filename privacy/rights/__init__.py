"""What people say about their data: restrict its processing, object to it, go on, and who may act for them."""
