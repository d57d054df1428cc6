"""File formats, one module for each; what is read is checked before it is used."""
