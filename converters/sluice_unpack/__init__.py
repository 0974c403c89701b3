"""Reads archives of every kind that are not trusted, and writes nothing but plain files below one directory."""
