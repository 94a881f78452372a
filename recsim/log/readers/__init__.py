"""One file for each data set or layout."""
