"""What runs inside another scanner: its graph says which files, ours says what is wrong."""
