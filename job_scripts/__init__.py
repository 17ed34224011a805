"""What runs on the GPU: each file is complete in itself and imports with the standard library alone."""
