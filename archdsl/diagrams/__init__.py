"""Pictures of a network: graph -> parts -> scene -> DOT -> svg, png, pdf."""
