"""One module or room at a time: the folders are those of the package."""
