"""The contracts that agents keep, one module per kind."""
