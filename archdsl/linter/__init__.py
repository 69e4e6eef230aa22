"""The linter: findings about networks that run, but hardly as meant or hardly as well as they could."""
