"""Users like those of a log: a world that is fitted to it, with its errors on users held out."""
