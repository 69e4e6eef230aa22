"""Texts that nobody would write, through everything that archdsl does with a text short of torch."""
