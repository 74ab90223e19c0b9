"""The report page: what is read, how it is drawn, and the page around it."""
