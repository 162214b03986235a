"""What the pages of a data set show, part by part."""
