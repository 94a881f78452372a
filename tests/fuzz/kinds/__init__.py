"""The kinds of inputs; each module has its kind as `KIND`."""
