"""What is known about uploads and files: the contract in `base`, and the catalogs that keep it."""
