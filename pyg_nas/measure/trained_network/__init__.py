"""A trained network as a folder that is used without this package."""
